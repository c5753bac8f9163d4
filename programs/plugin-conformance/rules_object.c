#include "programs/plugin-conformance/rules.h"
const struct conf_rule conf_object_rules[] = {{.id = NULL}};
