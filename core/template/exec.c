/* Walks the tree. The rules for arguments, fields and nil are those of Go's text/template, as far as they show. */
#include "core/template/internal.h"

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

static struct value eval_pipe(struct render *render, const struct node *pipe, struct value dot);
static enum flow walk_list(struct render *render, const struct node *node, struct value dot);

/* ---- fields and methods */

static struct value call(struct render *render, const struct function *function, const struct value *receiver,
                         const struct node *words, const struct value *last, struct value dot);

_Noreturn static void fail_no_method(struct render *render, struct text name) {
  render_fail(render, "%.*s is a field, not a function: it takes no arguments", (int)name.size, name.bytes);
}

/* One step of a chain. `words` are the arguments written behind the last field, `last` what came down the pipeline. */
static struct value eval_field(struct render *render, struct value receiver, struct text name, const struct node *words,
                               const struct value *last, struct value dot) {
  int size = name.size > 60 ? 60 : (int)name.size;
  if (receiver.kind == VALUE_MISSING) return value_missing;
  if (receiver.kind == VALUE_NIL) render_fail(render, "the field %.*s of nil", size, name.bytes);
  const struct function *method = method_find(receiver, name);
  if (method != NULL) return call(render, method, &receiver, words, last, dot);
  if (receiver.kind != VALUE_MAP)
    render_fail(render, "a %s has no field %.*s", value_type_name(receiver), size, name.bytes);
  if (words != NULL || last != NULL) fail_no_method(render, name);
  const struct value *found = map_find(receiver.map, name);
  return found != NULL ? *found : value_missing;
}

static struct value eval_fields(struct render *render, struct value receiver, const struct node *node,
                                const struct node *words, const struct value *last, struct value dot) {
  for (size_t i = 0; i < node->field_count; i++) {
    bool end = i + 1 == node->field_count;
    receiver = eval_field(render, receiver, node->fields[i], end ? words : NULL, end ? last : NULL, dot);
  }
  return receiver;
}

/* ---- operands */

static struct value variable_value(struct render *render, struct text name) {
  const struct variable *variable = render_find_variable(render, name);
  if (variable == NULL) render_fail(render, "undefined variable %.*s", (int)name.size, name.bytes);
  return variable->value;
}

/* Whether an operand can be given arguments at all. */
static bool is_callable(const struct node *node) {
  return node->kind == NODE_FUNCTION || node->field_count > 0;
}

/* `words` and `last` are the arguments, for a function or a method. */
static struct value eval_operand(struct render *render, const struct node *node, const struct node *words,
                                 const struct value *last, struct value dot) {
  render->position = node->position;
  switch (node->kind) {
    case NODE_DOT: return dot;
    case NODE_NIL: return value_nil;
    case NODE_LITERAL: return node->value;
    case NODE_FIELD: return eval_fields(render, dot, node, words, last, dot);
    case NODE_VARIABLE: return eval_fields(render, variable_value(render, node->text), node, words, last, dot);
    case NODE_FUNCTION: return call(render, node->function, NULL, words, last, dot);
    case NODE_PIPE: return eval_pipe(render, node, dot);
    case NODE_CHAIN: {
      struct value inner = eval_operand(render, node->pipe, NULL, NULL, dot);
      render->position = node->position;
      return eval_fields(render, inner, node, words, last, dot);
    }
    default: return value_missing;
  }
}

/* ---- calls */

static const char *parameter_name(char letter) {
  switch (letter) {
    case 's': return "a string";
    case 'i': return "an integer";
    case 'f': return "a number";
    case 'b': return "true or false";
    case 't': return "a time";
    case 'm': return "a map";
    default: return "a semantic version";
  }
}

static bool fits(char letter, struct value *value) {
  switch (letter) {
    case 'v': return true;
    case 'a':
      if (value->kind == VALUE_MISSING) *value = value_nil;
      return true;
    case 's': return value->kind == VALUE_STRING;
    case 'i': return value->kind == VALUE_INT;
    case 'f':
      if (value->kind == VALUE_INT) *value = value_float((double)value->integer);
      return value->kind == VALUE_FLOAT;
    case 'b': return value->kind == VALUE_BOOL;
    case 't': return value->kind == VALUE_TIME;
    case 'm': return value->kind == VALUE_MAP && value->type == TYPE_PLAIN;
    default: return value->kind == VALUE_VERSION;
  }
}

/* The value as a parameter of that letter takes it. */
static struct value convert(struct render *render, const struct function *function, char letter, struct value value) {
  if (letter == 'm' && value.kind == VALUE_MISSING) return value_map(map_new(render), TYPE_PLAIN);
  if (!fits(letter, &value))
    render_fail(render, "%s wants %s here, not %s", function->name, parameter_name(letter),
                value_is_nil(value) ? "nil" : value_type_name(value));
  return value;
}

/* The letter of the parameter at `index`; '\0' beyond the last. */
static char parameter_letter(const char *parameters, size_t index) {
  size_t size = strlen(parameters);
  bool repeats = size > 0 && parameters[size - 1] == '*';
  size_t letters = repeats ? size - 1 : size;
  if (index < letters) return parameters[index];
  return repeats ? parameters[letters - 1] : '\0';
}

/* `own` of the parameters and of the count is a method's receiver, which nobody wrote. */
static void check_count(struct render *render, const struct function *function, size_t count, size_t own) {
  size_t size = strlen(function->parameters);
  bool repeats = size > 0 && function->parameters[size - 1] == '*';
  size_t least = repeats ? size - 2 : size;
  if (count < least || (count > least && !repeats))
    render_fail(render, "%s wants %s%zu arguments, not %zu", function->name, repeats ? "at least " : "", least - own,
                count - own);
}

static size_t list_length(const struct node *node) {
  size_t length = 0;
  for (; node != NULL; node = node->next)
    length++;
  return length;
}

/* A constant such as 3.0 may stand for an integer. */
static struct value integral(const struct node *node, char letter, struct value value) {
  bool whole = node->kind == NODE_LITERAL && letter == 'i' && value.kind == VALUE_FLOAT && value.number >= -0x1p53 &&
               value.number <= 0x1p53 && value.number == (double)(int64_t)value.number;
  return whole ? value_int((int64_t)value.number) : value;
}

/* The work that a function has with an argument is bounded by the argument's size. */
static void charge_argument(struct render *render, struct value value) {
  render_charge(render, value.kind == VALUE_STRING ? value.text.size / 64
                        : value.kind == VALUE_LIST ? value.list->count / 16
                        : value.kind == VALUE_MAP  ? value.map->count / 16
                                                   : 0);
}

/* and, or: the first argument that decides is the result; what is behind it is not evaluated. */
static struct value call_lazy(struct render *render, bool stops_at, const struct node *words, const struct value *last,
                              struct value dot) {
  struct value value = value_missing;
  for (const struct node *word = words; word != NULL; word = word->next) {
    value = eval_operand(render, word, NULL, NULL, dot);
    if (value_is_true(value) == stops_at) return value;
  }
  return last != NULL ? *last : value;
}

static struct value call(struct render *render, const struct function *function, const struct value *receiver,
                         const struct node *words, const struct value *last, struct value dot) {
  size_t position = render->position;
  size_t count = (receiver != NULL) + list_length(words) + (last != NULL);
  check_count(render, function, count, receiver != NULL);
  bool stops_at = false;
  if (function_is_lazy(function, &stops_at)) return call_lazy(render, stops_at, words, last, dot);
  render_enter(render);
  struct value *args = render_alloc(render, count, sizeof(*args));
  size_t filled = 0;
  if (receiver != NULL) args[filled++] = *receiver;
  for (const struct node *word = words; word != NULL; word = word->next, filled++) {
    char letter = parameter_letter(function->parameters, filled);
    struct value value = eval_operand(render, word, NULL, NULL, dot);
    render->position = word->position;
    args[filled] = convert(render, function, letter, integral(word, letter, value));
  }
  render->position = position;
  if (last != NULL) args[filled] = convert(render, function, parameter_letter(function->parameters, filled), *last);
  for (size_t i = 0; i < count; i++)
    charge_argument(render, args[i]);
  struct value result = function->call(render, args, count);
  render_leave(render);
  return result;
}

/* ---- pipelines */

static struct value eval_command(struct render *render, const struct node *command, const struct value *last,
                                 struct value dot) {
  const struct node *first = command->children;
  render->position = first->position;
  if ((first->next != NULL || last != NULL) && !is_callable(first)) {
    size_t size = first->end - first->position;
    render_fail(render, "%.*s is no function, so it can take no arguments", size > 60 ? 60 : (int)size,
                render->source.bytes + first->position);
  }
  if (first->kind == NODE_NIL) render_fail(render, "nil is not a command");
  return eval_operand(render, first, first->next, last, dot);
}

static void set_variable(struct render *render, struct text name, struct value value) {
  struct variable *variable = render_find_variable(render, name);
  if (variable == NULL) render_fail(render, "undefined variable %.*s; := declares one", (int)name.size, name.bytes);
  variable->value = value;
}

static struct value eval_pipe(struct render *render, const struct node *pipe, struct value dot) {
  struct value value = value_missing;
  const struct value *last = NULL;
  render_enter(render);
  for (const struct node *command = pipe->children; command != NULL; command = command->next) {
    value = eval_command(render, command, last, dot);
    /* Go looks into the interface here, and finds nothing in a nil one. */
    if (value.kind == VALUE_NIL) value = value_missing;
    last = &value;
  }
  render_leave(render);
  for (int i = 0; i < pipe->declared_count; i++) {
    if (pipe->assigns)
      set_variable(render, pipe->declared[i], value);
    else
      render_push_variable(render, pipe->declared[i], value);
  }
  return value;
}

/* ---- actions */

static void exec_action(struct render *render, const struct node *node, struct value dot) {
  struct value value = eval_pipe(render, node->pipe, dot);
  if (node->pipe->declared_count > 0) return;
  render->position = node->position;
  if (value.kind == VALUE_MISSING)
    build_string(render->out, "<no value>");
  else
    print_value(render->out, value);
}

static enum flow exec_condition(struct render *render, const struct node *node, struct value dot) {
  size_t variables = render->variable_count;
  struct value value = eval_pipe(render, node->pipe, dot);
  enum flow flow = value_is_true(value) ? walk_list(render, node->children, node->kind == NODE_WITH ? value : dot)
                                        : walk_list(render, node->otherwise, dot);
  render->variable_count = variables;
  return flow;
}

/* One turn of a range: its variables are the pipeline's, set anew each time. */
static enum flow exec_turn(struct render *render, const struct node *node, struct value key, struct value item) {
  const struct node *pipe = node->pipe;
  size_t variables = render->variable_count;
  if (pipe->declared_count > 0) {
    struct value both[2] = {pipe->declared_count == 2 ? key : item, item};
    for (int i = 0; i < pipe->declared_count; i++) {
      if (pipe->assigns)
        set_variable(render, pipe->declared[i], both[i]);
      else
        render->variables[variables - (size_t)pipe->declared_count + (size_t)i].value = both[i];
    }
  }
  render_charge(render, 1);
  enum flow flow = walk_list(render, node->children, item);
  render->variable_count = variables;
  return flow;
}

static size_t range_length(struct render *render, const struct node *node, struct value value) {
  switch (value.kind) {
    case VALUE_MISSING:
    case VALUE_NIL: return 0;
    case VALUE_LIST: return value.list->count;
    case VALUE_MAP: return value.map->count;
    case VALUE_INT:
      if (node->pipe->declared_count > 1)
        render_fail(render, "a range over a number has one variable, the number itself");
      return value.integer < 0 ? 0 : (size_t)value.integer;
    default: render_fail(render, "range cannot go over a %s", value_type_name(value));
  }
}

static void exec_range(struct render *render, const struct node *node, struct value dot, enum flow *flow) {
  size_t variables = render->variable_count;
  struct value value = eval_pipe(render, node->pipe, dot);
  render->position = node->pipe->position;
  size_t length = range_length(render, node, value);
  /* A copy, since the body may change the map. */
  if (value.kind == VALUE_MAP) {
    struct map *copy = map_new(render);
    copy->entries = render_alloc(render, length, sizeof(*copy->entries));
    copy->count = copy->capacity = length;
    if (length > 0) memcpy(copy->entries, value.map->entries, length * sizeof(*copy->entries));
    value.map = copy;
  }
  if (length == 0) *flow = walk_list(render, node->otherwise, dot);
  for (size_t i = 0; i < length; i++) {
    struct value key = value_int((int64_t)i), item = key;
    item.type = value.kind == VALUE_INT ? value.type : TYPE_PLAIN;
    if (value.kind == VALUE_LIST) item = value.list->items[i];
    if (value.kind == VALUE_MAP) {
      key = value_text(value.map->entries[i].key);
      item = value.map->entries[i].value;
    }
    if (exec_turn(render, node, key, item) == FLOW_BREAK) break;
  }
  render->variable_count = variables;
}

static void exec_call(struct render *render, const struct node *node, struct value dot) {
  const struct definition *definition = render->definitions;
  while (definition != NULL && !text_equal(definition->name, node->text))
    definition = definition->next;
  render->position = node->position;
  if (definition == NULL)
    render_fail(render, "template \"%.*s\" is not defined", (int)node->text.size, node->text.bytes);
  struct value argument = node->pipe == NULL ? value_missing : eval_pipe(render, node->pipe, dot);
  struct variable *variables = render->variables;
  size_t count = render->variable_count, capacity = render->variable_capacity;
  render->variables = NULL;
  render->variable_count = render->variable_capacity = 0;
  render_enter(render);
  exec_template(render, definition->body, argument);
  render_leave(render);
  render->variables = variables;
  render->variable_count = count;
  render->variable_capacity = capacity;
}

static enum flow walk(struct render *render, const struct node *node, struct value dot) {
  enum flow flow = FLOW_ON;
  render->position = node->position;
  switch (node->kind) {
    case NODE_TEXT: build_text(render->out, node->text); break;
    case NODE_ACTION: exec_action(render, node, dot); break;
    case NODE_IF:
    case NODE_WITH: flow = exec_condition(render, node, dot); break;
    case NODE_RANGE: exec_range(render, node, dot, &flow); break;
    case NODE_TEMPLATE: exec_call(render, node, dot); break;
    case NODE_BREAK: flow = FLOW_BREAK; break;
    case NODE_CONTINUE: flow = FLOW_CONTINUE; break;
    default: break;
  }
  return flow;
}

static enum flow walk_list(struct render *render, const struct node *node, struct value dot) {
  enum flow flow = FLOW_ON;
  render_enter(render);
  for (; node != NULL && flow == FLOW_ON; node = node->next) {
    render_charge(render, 1);
    flow = walk(render, node, dot);
  }
  render_leave(render);
  return flow;
}

void exec_template(struct render *render, const struct node *body, struct value dot) {
  render_push_variable(render, TEXT("$"), dot);
  (void)walk_list(render, body, dot);
}
