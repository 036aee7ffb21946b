/*
 * What a program of a newer C library asks for beyond Debian 12's, for LD_PRELOAD: C23's names of
 * functions that are there under their old ones, and that the streams of C++ are set up.
 */
#include <stdlib.h>

long __isoc23_strtol(const char *text, char **end, int base);
unsigned long __isoc23_strtoul(const char *text, char **end, int base);
long long __isoc23_strtoll(const char *text, char **end, int base);
unsigned long long __isoc23_strtoull(const char *text, char **end, int base);
void _ZSt21ios_base_library_initv(void);
/* std::ios_base::Init::Init(), whose object holds nothing. */
void _ZNSt8ios_base4InitC1Ev(void *object);

long __isoc23_strtol(const char *text, char **end, int base)
{
	return strtol(text, end, base);
}

unsigned long __isoc23_strtoul(const char *text, char **end, int base)
{
	return strtoul(text, end, base);
}

long long __isoc23_strtoll(const char *text, char **end, int base)
{
	return strtoll(text, end, base);
}

unsigned long long __isoc23_strtoull(const char *text, char **end, int base)
{
	return strtoull(text, end, base);
}

/* Only its address is asked for. */
void _ZSt21ios_base_library_initv(void)
{
}

/* Before any constructor of the program itself. */
__attribute__((constructor)) static void set_up_streams(void)
{
	static char object[8];
	_ZNSt8ios_base4InitC1Ev(object);
}
