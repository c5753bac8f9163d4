/* Says that it has the objects, but lacks one of their functions. */
#define EXAMPLE_NAME "no-lease"
#define WITHOUT_LEASE
#include "platform-example.c"
