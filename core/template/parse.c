/* Tokens to a tree. What is known without the data is checked here: functions, variables, what may stand where. */
#include "core/template/internal.h"

struct parser {
  struct render *render;
  struct lexer lexer;
  int range_depth;
};

/* The words that are not functions. */
static const char *const keywords[] = {"block", "break", "continue", "define",   "else",
                                       "end",   "if",    "range",    "template", "with"};

static struct node *parse_list(struct parser *parser, struct token *end);
static struct node *parse_pipeline(struct parser *parser, const char *context, bool bracketed);

/* ---- tokens */

static struct token next(struct parser *parser) {
  struct token token = lex_next(&parser->lexer);
  parser->render->position = token.position;
  return token;
}

static struct token peek(const struct parser *parser) {
  struct lexer ahead = parser->lexer;
  return lex_next(&ahead);
}

static void skip_space(struct parser *parser) {
  while (parser->lexer.in_action && peek(parser).kind == TOKEN_SPACE)
    (void)next(parser);
}

static struct token next_after_space(struct parser *parser) {
  skip_space(parser);
  return next(parser);
}

static struct token peek_after_space(struct parser *parser) {
  skip_space(parser);
  return peek(parser);
}

static bool is_punctuation(struct token token, const char *string) {
  return token.kind == TOKEN_PUNCTUATION && text_is(token.text, string);
}

static bool is_keyword(struct token token) {
  for (size_t i = 0; token.kind == TOKEN_WORD && i < sizeof(keywords) / sizeof(keywords[0]); i++)
    if (text_is(token.text, keywords[i])) return true;
  return false;
}

_Noreturn static void unexpected(struct parser *parser, struct token token, const char *context) {
  parser->render->position = token.position;
  if (token.kind == TOKEN_END)
    render_fail(parser->render, "the template ends within %s; is an {{end}} missing?", context);
  int size = token.text.size > 40 ? 40 : (int)token.text.size;
  render_fail(parser->render, "unexpected \"%.*s\" in %s", size, token.text.bytes, context);
}

static void expect_right(struct parser *parser, const char *context) {
  struct token token = next_after_space(parser);
  if (token.kind != TOKEN_RIGHT) unexpected(parser, token, context);
}

static struct node *node_new(struct parser *parser, enum node_kind kind, size_t position) {
  struct node *node = render_alloc(parser->render, 1, sizeof(*node));
  node->kind = kind;
  node->position = position;
  return node;
}

/* ---- literals */

static struct text unquote(struct parser *parser, struct token token) {
  struct text inside = text_part(token.text, 1, token.text.size - 1);
  if (token.kind == TOKEN_RAW_STRING) return inside;
  struct builder builder = BUILDER(parser->render);
  for (size_t at = 0; at < inside.size;) {
    uint32_t rune = 0;
    bool is_byte = false;
    if (inside.bytes[at] != '\\') {
      build_bytes(&builder, inside.bytes + at++, 1);
      continue;
    }
    at++;
    if (!rune_unescape(inside, &at, token.text.bytes[0], &rune, &is_byte))
      render_fail(parser->render, "an unknown escape in %.*s", (int)token.text.size, token.text.bytes);
    if (is_byte)
      build_bytes(&builder, &(char){(char)rune}, 1);
    else
      build_rune(&builder, rune);
  }
  return build_done(&builder);
}

static struct value parse_character(struct parser *parser, struct token token) {
  struct text text = unquote(parser, token);
  size_t at = 0;
  uint32_t rune = text.size == 0 ? RUNE_ERROR : rune_next(text, &at);
  if (text.size == 0 || at != text.size)
    render_fail(parser->render, "between single quotes there is to be one character; for a string use \"\"");
  return value_int(rune);
}

/* "1+2i": splits before the last sign that is not an exponent's. */
static struct value parse_complex(struct parser *parser, struct text text) {
  double *parts = render_alloc(parser->render, 2, sizeof(*parts));
  size_t split = text.size - 1;
  while (split > 0 &&
         !((text.bytes[split] == '+' || text.bytes[split] == '-') && (text.bytes[split - 1] | 0x20) != 'e'))
    split--;
  if ((split > 0 && !number_parse_float(text_part(text, 0, split), &parts[0])) ||
      !number_parse_float(text_part(text, split, text.size - 1), &parts[1]))
    render_fail(parser->render, "not a number: %.*s", (int)text.size, text.bytes);
  return (struct value){.kind = VALUE_COMPLEX, .complex = parts};
}

static struct value parse_number(struct parser *parser, struct token token) {
  int64_t integer = 0;
  double number = 0;
  struct text text = token.text;
  if (text.bytes[text.size - 1] == 'i') return parse_complex(parser, text);
  if (number_parse_int(text, 0, &integer)) return value_int(integer);
  bool has_point = memchr(text.bytes, '.', text.size) != NULL || memchr(text.bytes, 'e', text.size) != NULL ||
                   memchr(text.bytes, 'E', text.size) != NULL;
  if (!has_point || !number_parse_float(text, &number))
    render_fail(parser->render, "not a number, or too large: %.*s", (int)text.size, text.bytes);
  return value_float(number);
}

/* ---- operands */

static void check_variable(struct parser *parser, struct text name) {
  if (render_find_variable(parser->render, name) == NULL)
    render_fail(parser->render, "undefined variable %.*s", (int)name.size, name.bytes);
}

static struct node *parse_word(struct parser *parser, struct token token) {
  struct node *node = node_new(parser, NODE_LITERAL, token.position);
  if (text_is(token.text, "true") || text_is(token.text, "false")) {
    node->value = value_bool(text_is(token.text, "true"));
  } else if (text_is(token.text, "nil")) {
    node->kind = NODE_NIL;
  } else {
    const char *why_not = NULL;
    node->kind = NODE_FUNCTION;
    node->function = function_find(token.text, &why_not);
    if (node->function == NULL)
      render_fail(parser->render, "function \"%.*s\" %s", (int)token.text.size, token.text.bytes,
                  why_not == NULL ? "is not defined" : why_not);
  }
  return node;
}

/* One operand without the fields that may follow it; NULL when none begins here. */
static struct node *parse_term(struct parser *parser) {
  struct token token = peek_after_space(parser);
  if (is_keyword(token)) return NULL;
  struct node *node = NULL;
  if (is_punctuation(token, "(")) {
    (void)next(parser);
    return parse_pipeline(parser, "brackets", true);
  }
  if (token.kind < TOKEN_WORD || token.kind > TOKEN_RAW_STRING) return NULL;
  (void)next(parser);
  if (token.kind == TOKEN_WORD) return parse_word(parser, token);
  node = node_new(parser, NODE_LITERAL, token.position);
  switch (token.kind) {
    case TOKEN_FIELD: node->kind = token.text.size == 1 ? NODE_DOT : NODE_FIELD; break;
    case TOKEN_VARIABLE:
      node->kind = NODE_VARIABLE;
      node->text = token.text;
      check_variable(parser, token.text);
      break;
    case TOKEN_NUMBER: node->value = parse_number(parser, token); break;
    case TOKEN_CHARACTER: node->value = parse_character(parser, token); break;
    default: node->value = value_text(unquote(parser, token)); break;
  }
  if (node->kind == NODE_FIELD) {
    node->fields = render_alloc(parser->render, 1, sizeof(*node->fields));
    node->fields[node->field_count++] = text_part(token.text, 1, token.text.size);
  }
  return node;
}

static bool field_follows(const struct parser *parser) {
  if (!parser->lexer.in_action) return false;
  struct token token = peek(parser);
  return token.kind == TOKEN_FIELD && token.text.size > 1;
}

/* Appends the fields that follow an operand without a space. */
static struct node *parse_fields(struct parser *parser, struct node *node) {
  if (node->kind == NODE_LITERAL || node->kind == NODE_NIL || node->kind == NODE_DOT)
    unexpected(parser, next(parser), "the fields of a constant");
  if (node->kind == NODE_FUNCTION || node->kind == NODE_PIPE) {
    struct node *chain = node_new(parser, NODE_CHAIN, node->position);
    chain->pipe = node;
    node = chain;
  }
  while (field_follows(parser)) {
    struct token token = next(parser);
    struct text *fields = render_alloc(parser->render, node->field_count + 1, sizeof(*fields));
    if (node->field_count > 0) memcpy(fields, node->fields, node->field_count * sizeof(*fields));
    fields[node->field_count++] = text_part(token.text, 1, token.text.size);
    node->fields = fields;
  }
  return node;
}

static struct node *parse_operand(struct parser *parser) {
  struct node *node = parse_term(parser);
  if (node != NULL && field_follows(parser)) node = parse_fields(parser, node);
  if (node != NULL) node->end = parser->lexer.at;
  return node;
}

/* ---- pipelines */

/* Operands up to a bar, which is taken, or up to the pipeline's end, which is not. */
static struct node *parse_command(struct parser *parser) {
  struct node *command = node_new(parser, NODE_COMMAND, peek_after_space(parser).position);
  struct node **tail = &command->children;
  for (;;) {
    struct node *operand = parse_operand(parser);
    if (operand != NULL) {
      *tail = operand;
      tail = &operand->next;
    }
    struct token token = peek(parser);
    if (token.kind == TOKEN_SPACE) {
      (void)next(parser);
      continue;
    }
    if (token.kind != TOKEN_RIGHT && !is_punctuation(token, ")")) {
      (void)next(parser);
      if (!is_punctuation(token, "|")) unexpected(parser, token, "an operand");
    }
    break;
  }
  if (command->children == NULL) render_fail(parser->render, "an empty command");
  return command;
}

static void declare(struct parser *parser, struct node *pipe, struct token variable) {
  pipe->declared[pipe->declared_count++] = variable.text;
  render_push_variable(parser->render, variable.text, value_missing);
}

/* `$x :=`, `$x =`, and for range `$i, $x :=`. Nothing is taken where none of them stands. */
static void parse_declarations(struct parser *parser, struct node *pipe, const char *context) {
  for (;;) {
    struct lexer before = parser->lexer;
    struct token variable = next_after_space(parser);
    if (variable.kind != TOKEN_VARIABLE) {
      parser->lexer = before;
      return;
    }
    struct token token = next_after_space(parser);
    if (is_punctuation(token, ":=") || is_punctuation(token, "=")) {
      pipe->assigns = is_punctuation(token, "=");
      declare(parser, pipe, variable);
      return;
    }
    if (!is_punctuation(token, ",")) {
      if (pipe->declared_count > 0) unexpected(parser, token, "the variables of a range");
      parser->lexer = before;
      return;
    }
    if (strcmp(context, "range") != 0 || pipe->declared_count > 0)
      render_fail(parser->render, "too many variables for %s", context);
    declare(parser, pipe, variable);
    if (peek_after_space(parser).kind != TOKEN_VARIABLE) unexpected(parser, next(parser), "the variables of a range");
  }
}

static void check_pipeline(struct parser *parser, const struct node *pipe, const char *context) {
  parser->render->position = pipe->position;
  if (pipe->children == NULL) render_fail(parser->render, "a value is missing for %s", context);
  int stage = 2;
  for (const struct node *command = pipe->children->next; command != NULL; command = command->next, stage++) {
    enum node_kind kind = command->children->kind;
    parser->render->position = command->position;
    if (kind == NODE_LITERAL || kind == NODE_DOT || kind == NODE_NIL)
      render_fail(parser->render, "stage %d of the pipeline is a constant; it must be something that can be called",
                  stage);
  }
}

static struct node *parse_pipeline(struct parser *parser, const char *context, bool bracketed) {
  struct node *pipe = node_new(parser, NODE_PIPE, peek_after_space(parser).position);
  render_enter(parser->render);
  parse_declarations(parser, pipe, context);
  struct node **tail = &pipe->children;
  for (;;) {
    struct token token = peek_after_space(parser);
    bool ended = bracketed ? is_punctuation(token, ")") : token.kind == TOKEN_RIGHT;
    bool begins = is_punctuation(token, "(") || (token.kind >= TOKEN_WORD && token.kind <= TOKEN_RAW_STRING);
    if (ended) break;
    if (!begins || is_keyword(token)) unexpected(parser, token, context);
    *tail = parse_command(parser);
    tail = &(*tail)->next;
  }
  (void)next(parser);
  pipe->end = parser->lexer.at;
  check_pipeline(parser, pipe, context);
  render_leave(parser->render);
  return pipe;
}

/* ---- actions */

/* if, with and range; the word itself has been taken. */
static struct node *parse_control(struct parser *parser, struct token word) {
  bool is_range = text_is(word.text, "range");
  const char *context = is_range ? "range" : text_is(word.text, "if") ? "if" : "with";
  struct node *node = node_new(parser, is_range ? NODE_RANGE : *context == 'i' ? NODE_IF : NODE_WITH, word.position);
  size_t variables = parser->render->variable_count;
  node->pipe = parse_pipeline(parser, context, false);
  struct token end;
  parser->range_depth += is_range;
  node->children = parse_list(parser, &end);
  parser->range_depth -= is_range;
  if (text_is(end.text, "else")) {
    struct token token = peek_after_space(parser);
    bool chained = !is_range && token.kind == TOKEN_WORD && text_is(token.text, context);
    if (chained) { /* one {{end}} ends all of the chain */
      render_enter(parser->render);
      node->otherwise = parse_control(parser, next(parser));
      render_leave(parser->render);
      parser->render->variable_count = variables;
      return node;
    }
    expect_right(parser, "else");
    node->otherwise = parse_list(parser, &end);
    if (!text_is(end.text, "end")) unexpected(parser, end, "else");
  }
  expect_right(parser, "end");
  parser->render->variable_count = variables;
  return node;
}

static struct text parse_name(struct parser *parser, const char *context) {
  struct token token = next_after_space(parser);
  if (token.kind != TOKEN_STRING && token.kind != TOKEN_RAW_STRING) unexpected(parser, token, context);
  return unquote(parser, token);
}

static bool is_blank(const struct node *body) {
  for (; body != NULL; body = body->next)
    if (body->kind != NODE_TEXT || text_trim_space(body->text).size > 0) return false;
  return true;
}

/* An empty definition makes way for one that is not. */
static void add_definition(struct parser *parser, struct text name, const struct node *body) {
  struct definition *definition = parser->render->definitions;
  while (definition != NULL && !text_equal(definition->name, name))
    definition = definition->next;
  if (definition == NULL) {
    definition = render_alloc(parser->render, 1, sizeof(*definition));
    definition->name = name;
    definition->next = parser->render->definitions;
    parser->render->definitions = definition;
  } else if (!is_blank(definition->body)) {
    if (is_blank(body)) return;
    render_fail(parser->render, "a second definition of template \"%.*s\"", (int)name.size, name.bytes);
  }
  definition->body = body;
}

/* The body of a define or block, to its {{end}}, with variables of its own. */
static void parse_body(struct parser *parser, struct text name) {
  struct render *render = parser->render;
  struct variable *variables = render->variables;
  size_t count = render->variable_count, capacity = render->variable_capacity;
  int range_depth = parser->range_depth;
  render->variables = NULL;
  render->variable_count = render->variable_capacity = 0;
  parser->range_depth = 0;
  render_push_variable(render, TEXT("$"), value_missing);
  struct token end;
  struct node *body = parse_list(parser, &end);
  if (!text_is(end.text, "end")) unexpected(parser, end, "a definition");
  expect_right(parser, "end");
  add_definition(parser, name, body);
  render->variables = variables;
  render->variable_count = count;
  render->variable_capacity = capacity;
  parser->range_depth = range_depth;
}

static void parse_define(struct parser *parser) {
  struct text name = parse_name(parser, "define");
  expect_right(parser, "define");
  parse_body(parser, name);
}

static struct node *parse_template_call(struct parser *parser, struct token word) {
  struct node *node = node_new(parser, NODE_TEMPLATE, word.position);
  bool is_block = text_is(word.text, "block");
  node->text = parse_name(parser, is_block ? "block" : "template");
  if (!is_block && peek_after_space(parser).kind == TOKEN_RIGHT)
    (void)next(parser);
  else
    node->pipe = parse_pipeline(parser, is_block ? "block" : "template", false);
  if (is_block) parse_body(parser, node->text);
  return node;
}

static struct node *parse_loop_exit(struct parser *parser, struct token word) {
  bool is_break = text_is(word.text, "break");
  if (parser->range_depth == 0)
    render_fail(parser->render, "{{%s}} outside of a range", is_break ? "break" : "continue");
  expect_right(parser, is_break ? "break" : "continue");
  return node_new(parser, is_break ? NODE_BREAK : NODE_CONTINUE, word.position);
}

static struct node *parse_action(struct parser *parser, struct token left) {
  struct token word = peek_after_space(parser);
  if (is_keyword(word)) {
    (void)next(parser);
    if (text_is(word.text, "if") || text_is(word.text, "with") || text_is(word.text, "range"))
      return parse_control(parser, word);
    if (text_is(word.text, "template") || text_is(word.text, "block")) return parse_template_call(parser, word);
    if (text_is(word.text, "break") || text_is(word.text, "continue")) return parse_loop_exit(parser, word);
    unexpected(parser, word, text_is(word.text, "define") ? "a block; it may only stand at the top" : "this place");
  }
  struct node *node = node_new(parser, NODE_ACTION, left.position);
  node->pipe = parse_pipeline(parser, "an action", false);
  return node;
}

/* Nodes up to {{end}}, {{else}} or the end of the template. Of the braces with the word nothing but the word is taken.
 */
static struct node *parse_list(struct parser *parser, struct token *end) {
  struct node *first = NULL, **tail = &first;
  render_enter(parser->render);
  for (;;) {
    struct token token = next(parser);
    *end = token;
    if (token.kind == TOKEN_END) unexpected(parser, token, "a block");
    if (token.kind == TOKEN_TEXT) {
      *tail = node_new(parser, NODE_TEXT, token.position);
      (*tail)->text = token.text;
    } else {
      struct token word = peek_after_space(parser);
      if (word.kind == TOKEN_WORD && (text_is(word.text, "end") || text_is(word.text, "else"))) {
        *end = next(parser);
        break;
      }
      *tail = parse_action(parser, token);
    }
    tail = &(*tail)->next;
  }
  render_leave(parser->render);
  return first;
}

const struct node *parse_template(struct render *render) {
  struct parser parser = {.render = render, .lexer = {.render = render}};
  struct node *first = NULL, **tail = &first;
  render_push_variable(render, TEXT("$"), value_missing);
  for (;;) {
    struct token token = next(&parser);
    if (token.kind == TOKEN_END) return first;
    if (token.kind == TOKEN_TEXT) {
      *tail = node_new(&parser, NODE_TEXT, token.position);
      (*tail)->text = token.text;
    } else if (text_is(peek_after_space(&parser).text, "define") && peek(&parser).kind == TOKEN_WORD) {
      (void)next(&parser);
      parse_define(&parser);
      continue;
    } else {
      *tail = parse_action(&parser, token);
    }
    tail = &(*tail)->next;
  }
}
