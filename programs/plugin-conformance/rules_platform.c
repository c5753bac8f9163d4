#include "programs/plugin-conformance/rules.h"
const struct conf_rule conf_platform_rules[] = {{.id = NULL}};
