#include "programs/plugin-conformance/rules.h"
const struct conf_rule conf_transform_rules[] = {{.id = NULL}};
