/*
 * The handlers of testing.gateway.Gateway, and a struct jv_api over them.
 *
 * Any edge may serve them: they give back what they were asked, and obey the orders in it. There is
 * no core. The api lives as long as the program.
 */
#ifndef JV_TESTING_EDGE_GATEWAY_SERVICE_H
#define JV_TESTING_EDGE_GATEWAY_SERVICE_H

#include "server/api/edge.h"

/* Made once; any thread may use it after. */
struct jv_api *gateway_api(void);
void gateway_api_free(void);

#endif
