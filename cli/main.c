/* jarvis: the command line. All of it is in a library, so that tests can run it too. */
#include "cli/commands.h"

int main(int argc, char **argv)
{
	return jv_cli_main(argc, argv);
}
