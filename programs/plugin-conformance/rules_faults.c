#include "programs/plugin-conformance/rules.h"
const struct conf_rule conf_fault_rules[] = {{.id = NULL}};
