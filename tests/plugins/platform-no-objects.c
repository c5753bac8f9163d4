/* Lacks functions of the objects, and does not say that it has them. */
#define EXAMPLE_NAME "no-objects"
#define EXAMPLE_CAPABILITIES 0
#define WITHOUT_LEASE
#include "platform-example.c"
