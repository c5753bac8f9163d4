/* Lacks a function that each platform must have. */
#define EXAMPLE_NAME "no-exec-close"
#define WITHOUT_EXEC_CLOSE
#include "platform-example.c"
