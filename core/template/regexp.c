/*
 * A pattern becomes a tree, the tree a program for a machine that runs all alternatives side by side, character by
 * character (Thompson's construction, with captures after Pike). The time is the program's length times the text's,
 * whatever the pattern: nothing is ever tried twice.
 */
#include "core/template/regexp.h"

#define REPEAT_MAX 1000
#define PROGRAM_MAX ((size_t)10000)
#define TREE_MAX 5000 /* nodes: bounds the recursion over alternatives, too */

enum tree_kind { TREE_EMPTY, TREE_SET, TREE_ASSERT, TREE_JOIN, TREE_CHOICE, TREE_REPEAT, TREE_GROUP };

enum assertion { AT_TEXT_START, AT_TEXT_END, AT_LINE_START, AT_LINE_END, AT_WORD_EDGE, AT_NO_WORD_EDGE };

struct range {
  uint32_t low, high;
};

struct set {
  bool negated, fold; /* fold: capitals and small letters are the same */
  size_t count, capacity;
  struct range *ranges;
};

struct tree {
  enum tree_kind kind;
  struct tree *first, *second; /* JOIN, CHOICE; REPEAT and GROUP: first */
  const struct set *set;
  enum assertion assertion;
  int least, most; /* REPEAT; most -1: no bound */
  bool lazy;
  size_t group;
};

enum operation { OP_SET, OP_ASSERT, OP_SPLIT, OP_JUMP, OP_SAVE, OP_MATCH };

struct instruction {
  enum operation operation;
  const struct set *set;
  enum assertion assertion;
  size_t x, y; /* SPLIT: where to go on, x before y; JUMP: x; SAVE: the slot x */
};

/* A place in the program waits for a character, with the captures of the way to it. */
struct thread {
  size_t pc;
  size_t *ends;
};

struct threads {
  size_t count;
  struct thread *items; /* by priority */
};

/* A place to go to, or a capture to set back to what it was. */
struct pending {
  size_t pc; /* SIZE_MAX: set back */
  size_t slot, old;
};

struct regexp {
  size_t size;
  struct instruction *program;
  size_t groups;
  struct text *names;
  /* The machine's, for all searches. */
  size_t *seen; /* for each instruction, the step at which it was reached last */
  size_t step;
  struct pending *stack;
  size_t *ends; /* of the way being followed */
  struct threads now, next;
};

struct flags {
  bool fold, multi_line, dot_all, ungreedy;
};

struct compiler {
  struct render *render;
  struct text pattern;
  size_t at;
  struct flags flags;
  const char *wrong;
  struct regexp *regexp;
  int nodes;
};

/* ---- sets */

static void set_add(struct compiler *compiler, struct set *set, uint32_t low, uint32_t high) {
  if (set->count == set->capacity) {
    size_t capacity = set->capacity * 2 + 2;
    struct range *ranges = render_alloc(compiler->render, capacity, sizeof(*ranges));
    if (set->count > 0) memcpy(ranges, set->ranges, set->count * sizeof(*ranges));
    set->ranges = ranges;
    set->capacity = capacity;
  }
  set->ranges[set->count++] = (struct range){low, high};
}

/* Pairs of characters, "az09"; `negated` adds all that is outside of them. The pairs must be in order. */
static void set_add_pairs(struct compiler *compiler, struct set *set, const char *pairs, bool negated) {
  uint32_t next = 0;
  for (const unsigned char *p = (const unsigned char *)pairs; *p != '\0'; p += 2) {
    if (!negated) set_add(compiler, set, p[0], p[1]);
    if (negated && p[0] > next) set_add(compiler, set, next, p[0] - 1u);
    next = p[1] + 1u;
  }
  if (negated) set_add(compiler, set, next, RUNE_MAX);
}

static bool in_ranges(const struct set *set, uint32_t rune) {
  for (size_t i = 0; i < set->count; i++)
    if (rune >= set->ranges[i].low && rune <= set->ranges[i].high) return true;
  return false;
}

static bool set_has(const struct render *render, const struct set *set, uint32_t rune) {
  bool found = in_ranges(set, rune);
  if (!found && set->fold) found = in_ranges(set, rune_lower(render, rune)) || in_ranges(set, rune_upper(render, rune));
  return found != set->negated;
}

/* ---- the pattern to a tree */

static struct tree *parse_choice(struct compiler *compiler);

static struct tree *wrong(struct compiler *compiler, const char *what) {
  if (compiler->wrong == NULL) compiler->wrong = what;
  compiler->at = compiler->pattern.size;
  return NULL;
}

static bool more(const struct compiler *compiler) {
  return compiler->at < compiler->pattern.size;
}

static bool next_is(const struct compiler *compiler, const char *string) {
  size_t size = strlen(string);
  return compiler->pattern.size - compiler->at >= size &&
         memcmp(compiler->pattern.bytes + compiler->at, string, size) == 0;
}

static bool take(struct compiler *compiler, const char *string) {
  if (!next_is(compiler, string)) return false;
  compiler->at += strlen(string);
  return true;
}

static struct tree *tree_new(struct compiler *compiler, enum tree_kind kind) {
  if (++compiler->nodes > TREE_MAX) render_fail(compiler->render, "the regular expression is too large");
  struct tree *tree = render_alloc(compiler->render, 1, sizeof(*tree));
  tree->kind = kind;
  return tree;
}

static struct tree *tree_pair(struct compiler *compiler, enum tree_kind kind, struct tree *first, struct tree *second) {
  struct tree *tree = tree_new(compiler, kind);
  tree->first = first;
  tree->second = second;
  return tree;
}

static struct tree *tree_assert(struct compiler *compiler, enum assertion assertion) {
  struct tree *tree = tree_new(compiler, TREE_ASSERT);
  tree->assertion = assertion;
  return tree;
}

static struct set *set_new(struct compiler *compiler) {
  struct set *set = render_alloc(compiler->render, 1, sizeof(*set));
  set->fold = compiler->flags.fold;
  return set;
}

static struct tree *tree_set(struct compiler *compiler, const struct set *set) {
  struct tree *tree = tree_new(compiler, TREE_SET);
  tree->set = set;
  return tree;
}

static struct tree *tree_rune(struct compiler *compiler, uint32_t rune) {
  struct set *set = set_new(compiler);
  set_add(compiler, set, rune, rune);
  return tree_set(compiler, set);
}

/* The class that a backslash and this letter stand for, added to `set`; false for other letters. */
static bool add_class(struct compiler *compiler, struct set *set, char letter) {
  bool negated = letter >= 'A' && letter <= 'Z';
  switch (letter | 0x20) {
    case 'd': set_add_pairs(compiler, set, "09", negated); return true;
    case 's': set_add_pairs(compiler, set, "\t\n\f\r  ", negated); return true;
    case 'w': set_add_pairs(compiler, set, "09AZ__az", negated); return true;
    case 'p': render_fail(compiler->render, "regular expressions: Unicode classes such as \\p{L} are not done here");
    default: return false;
  }
}

/* \x{10FFFF}, after the brace. */
static uint32_t parse_braced(struct compiler *compiler) {
  size_t close = text_find(compiler->pattern, TEXT("}"), compiler->at);
  int64_t rune = 0;
  if (close == SIZE_MAX || !number_parse_int(text_part(compiler->pattern, compiler->at, close), 16, &rune) ||
      rune < 0 || rune > (int64_t)RUNE_MAX)
    (void)wrong(compiler, "an invalid escape sequence");
  else
    compiler->at = close + 1;
  return (uint32_t)rune;
}

/* A single character's escape, after its backslash. */
static uint32_t parse_escape(struct compiler *compiler) {
  if (!more(compiler)) {
    (void)wrong(compiler, "a backslash at the end");
    return 0;
  }
  char c = compiler->pattern.bytes[compiler->at];
  bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', digit = c >= '0' && c <= '9';
  if (!letter && !digit) return rune_next(compiler->pattern, &compiler->at);
  if (take(compiler, "x{")) return parse_braced(compiler);
  uint32_t rune = 0;
  bool is_byte = false;
  if (c != '0' && digit) {
    (void)wrong(compiler, "an escape that refers to a group; there is no such thing in RE2");
  } else if (c == '0') {
    while (more(compiler) && compiler->pattern.bytes[compiler->at] >= '0' &&
           compiler->pattern.bytes[compiler->at] <= '7' && rune < 64)
      rune = rune * 8 + (uint32_t)(compiler->pattern.bytes[compiler->at++] - '0');
  } else if (strchr("afnrtvx", c) == NULL || !rune_unescape(compiler->pattern, &compiler->at, '\\', &rune, &is_byte)) {
    (void)wrong(compiler, "an invalid escape sequence");
  }
  return rune;
}

/* [:alpha:] and the like within a class; false when none begins here. */
static bool parse_named_class(struct compiler *compiler, struct set *set) {
  static const char *const classes[][2] = {
      {"alnum", "09AZaz"}, {"alpha", "AZaz"}, {"ascii", "\001\177"}, {"blank", "\t\t  "}, {"cntrl", "\001\037\177\177"},
      {"digit", "09"},     {"graph", "!~"},   {"lower", "az"},       {"print", " ~"},     {"punct", "!/:@[`{~"},
      {"space", "\t\r  "}, {"upper", "AZ"},   {"word", "09AZ__az"},  {"xdigit", "09AFaf"}};
  if (!next_is(compiler, "[:")) return false;
  size_t close = text_find(compiler->pattern, TEXT(":]"), compiler->at + 2);
  if (close == SIZE_MAX) return false;
  struct text name = text_part(compiler->pattern, compiler->at + 2, close);
  bool negated = name.size > 0 && name.bytes[0] == '^';
  if (negated) name = text_part(name, 1, name.size);
  compiler->at = close + 2;
  for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
    if (!text_is(name, classes[i][0])) continue;
    set_add_pairs(compiler, set, classes[i][1], negated);
    if (!negated && (i == 2 || i == 4)) set_add(compiler, set, 0, 0);
    return true;
  }
  (void)wrong(compiler, "an unknown class between [: and :]");
  return true;
}

static uint32_t parse_set_rune(struct compiler *compiler) {
  if (!more(compiler)) {
    (void)wrong(compiler, "missing closing ]");
    return 0;
  }
  return take(compiler, "\\") ? parse_escape(compiler) : rune_next(compiler->pattern, &compiler->at);
}

static void parse_set_item(struct compiler *compiler, struct set *set) {
  if (parse_named_class(compiler, set)) return;
  bool escape = next_is(compiler, "\\") && compiler->at + 1 < compiler->pattern.size;
  if (escape && add_class(compiler, set, compiler->pattern.bytes[compiler->at + 1])) {
    compiler->at += 2;
    return;
  }
  uint32_t low = parse_set_rune(compiler), high = low;
  if (next_is(compiler, "-") && !next_is(compiler, "-]")) {
    compiler->at++;
    high = parse_set_rune(compiler);
  }
  if (high < low) (void)wrong(compiler, "a range in a class that ends before it begins");
  set_add(compiler, set, low, high);
}

/* After the bracket. */
static struct tree *parse_set(struct compiler *compiler) {
  struct set *set = set_new(compiler);
  set->negated = take(compiler, "^");
  bool first = true;
  while (first || !next_is(compiler, "]")) {
    if (!more(compiler)) return wrong(compiler, "missing closing ]");
    parse_set_item(compiler, set);
    first = false;
  }
  if (compiler->wrong == NULL) compiler->at++;
  return tree_set(compiler, set);
}

/* (?flags) or (?flags:; true when a group follows. */
static bool parse_flags(struct compiler *compiler) {
  for (bool on = true; more(compiler); compiler->at++) {
    switch (compiler->pattern.bytes[compiler->at]) {
      case 'i': compiler->flags.fold = on; break;
      case 'm': compiler->flags.multi_line = on; break;
      case 's': compiler->flags.dot_all = on; break;
      case 'U': compiler->flags.ungreedy = on; break;
      case '-':
        if (!on) (void)wrong(compiler, "an invalid or unsupported group after (?");
        on = false;
        break;
      case ':':
      case ')': return compiler->pattern.bytes[compiler->at++] == ':';
      default: (void)wrong(compiler, "an invalid or unsupported group after (?"); return false;
    }
  }
  (void)wrong(compiler, "missing closing )");
  return false;
}

static struct text parse_group_name(struct compiler *compiler) {
  size_t close = text_find(compiler->pattern, TEXT(">"), compiler->at);
  if (close == SIZE_MAX || close == compiler->at) {
    (void)wrong(compiler, "an invalid name of a group");
    return TEXT("");
  }
  struct text name = text_part(compiler->pattern, compiler->at, close);
  compiler->at = close + 1;
  return name;
}

static size_t add_group(struct compiler *compiler, struct text name) {
  struct regexp *regexp = compiler->regexp;
  struct text *names = render_alloc(compiler->render, regexp->groups + 1, sizeof(*names));
  if (regexp->groups > 0) memcpy(names, regexp->names, regexp->groups * sizeof(*names));
  names[regexp->groups] = name;
  regexp->names = names;
  return regexp->groups++;
}

/* After the bracket. NULL for mere flags. */
static struct tree *parse_group(struct compiler *compiler) {
  struct flags outer = compiler->flags;
  struct tree *tree = tree_new(compiler, TREE_GROUP);
  bool captures = true;
  struct text name = TEXT("");
  if (take(compiler, "?P<") || take(compiler, "?<")) {
    name = parse_group_name(compiler);
  } else if (take(compiler, "?")) {
    captures = false;
    if (!parse_flags(compiler)) return NULL; /* they hold up to the end of the outer group */
  }
  if (captures) tree->group = add_group(compiler, name);
  tree->first = parse_choice(compiler);
  compiler->flags = outer;
  if (!take(compiler, ")")) return wrong(compiler, "missing closing )");
  return captures ? tree : tree->first;
}

static struct tree *parse_backslash(struct compiler *compiler) {
  if (take(compiler, "A")) return tree_assert(compiler, AT_TEXT_START);
  if (take(compiler, "z")) return tree_assert(compiler, AT_TEXT_END);
  if (take(compiler, "b")) return tree_assert(compiler, AT_WORD_EDGE);
  if (take(compiler, "B")) return tree_assert(compiler, AT_NO_WORD_EDGE);
  struct set *set = set_new(compiler);
  if (more(compiler) && add_class(compiler, set, compiler->pattern.bytes[compiler->at])) {
    compiler->at++;
    return tree_set(compiler, set);
  }
  return tree_rune(compiler, parse_escape(compiler));
}

static struct tree *parse_atom(struct compiler *compiler) {
  const struct flags *flags = &compiler->flags;
  if (take(compiler, "(")) return parse_group(compiler);
  if (take(compiler, "[")) return parse_set(compiler);
  if (take(compiler, "\\")) return parse_backslash(compiler);
  if (take(compiler, "^")) return tree_assert(compiler, flags->multi_line ? AT_LINE_START : AT_TEXT_START);
  if (take(compiler, "$")) return tree_assert(compiler, flags->multi_line ? AT_LINE_END : AT_TEXT_END);
  if (next_is(compiler, "*") || next_is(compiler, "+") || next_is(compiler, "?"))
    return wrong(compiler, "a repetition without anything to repeat");
  if (take(compiler, ".")) {
    struct set *set = set_new(compiler);
    set->negated = true;
    if (!flags->dot_all) set_add(compiler, set, '\n', '\n');
    return tree_set(compiler, set);
  }
  return tree_rune(compiler, rune_next(compiler->pattern, &compiler->at));
}

static bool take_integer(struct compiler *compiler, int *number) {
  size_t start = compiler->at;
  for (*number = 0; more(compiler); compiler->at++) {
    char c = compiler->pattern.bytes[compiler->at];
    if (c < '0' || c > '9') break;
    *number = *number > REPEAT_MAX ? *number : *number * 10 + (c - '0');
  }
  return compiler->at > start;
}

/* {n}, {n,} or {n,m}. A brace that begins none of these is just a brace. */
static bool parse_bounds(struct compiler *compiler, struct tree *repeat) {
  size_t start = compiler->at;
  if (take(compiler, "{") && take_integer(compiler, &repeat->least)) {
    repeat->most = repeat->least;
    if (take(compiler, ",") && !take_integer(compiler, &repeat->most)) repeat->most = -1;
    if (take(compiler, "}")) {
      bool bad = repeat->least > REPEAT_MAX || repeat->most > REPEAT_MAX ||
                 (repeat->most >= 0 && repeat->most < repeat->least);
      if (bad) (void)wrong(compiler, "an invalid repeat count (at most 1000)");
      return true;
    }
  }
  compiler->at = start;
  return false;
}

static bool parse_repetition(struct compiler *compiler, struct tree *repeat) {
  repeat->most = -1;
  if (take(compiler, "*")) return true;
  if (take(compiler, "+")) {
    repeat->least = 1;
    return true;
  }
  if (take(compiler, "?")) {
    repeat->most = 1;
    return true;
  }
  return parse_bounds(compiler, repeat);
}

static struct tree *parse_repeated(struct compiler *compiler) {
  struct tree repeat = {.kind = TREE_REPEAT}, second = repeat;
  bool begins_so = parse_bounds(compiler, &repeat);
  struct tree *tree = begins_so ? NULL : parse_atom(compiler);
  if (compiler->wrong != NULL) return NULL;
  bool repeated = begins_so || parse_repetition(compiler, &repeat);
  if (repeated && tree == NULL) return wrong(compiler, "a repetition without anything to repeat");
  if (!repeated) return tree != NULL ? tree : tree_new(compiler, TREE_EMPTY);
  repeat.lazy = take(compiler, "?") != compiler->flags.ungreedy;
  repeat.first = tree;
  if (parse_repetition(compiler, &second)) return wrong(compiler, "a repetition of a repetition");
  tree = tree_new(compiler, TREE_REPEAT);
  *tree = repeat;
  return tree;
}

/* One item after the other: JOIN(a, JOIN(b, EMPTY)). Between \Q and \E all characters are just themselves. */
static struct tree *parse_sequence(struct compiler *compiler) {
  struct tree *whole = NULL, **tail = &whole;
  bool literal = false;
  while (more(compiler)) {
    if (!literal && (next_is(compiler, "|") || next_is(compiler, ")"))) break;
    if (take(compiler, literal ? "\\E" : "\\Q")) {
      literal = !literal;
      continue;
    }
    struct tree *item =
        literal ? tree_rune(compiler, rune_next(compiler->pattern, &compiler->at)) : parse_repeated(compiler);
    *tail = tree_pair(compiler, TREE_JOIN, item, NULL);
    tail = &(*tail)->second;
  }
  *tail = tree_new(compiler, TREE_EMPTY);
  return whole;
}

/* a|b|c as CHOICE(a, CHOICE(b, c)). */
static struct tree *parse_choice(struct compiler *compiler) {
  render_enter(compiler->render);
  struct tree *whole = parse_sequence(compiler), **last = &whole;
  while (take(compiler, "|")) {
    *last = tree_pair(compiler, TREE_CHOICE, *last, parse_sequence(compiler));
    last = &(*last)->second;
  }
  render_leave(compiler->render);
  return whole;
}

/* ---- the tree to a program */

/* How many instructions compile() makes of it; some number above PROGRAM_MAX when it is more than that. */
static size_t program_size(const struct tree *tree) {
  size_t size = 0;
  for (; tree->kind == TREE_JOIN && size <= PROGRAM_MAX; tree = tree->second)
    size += program_size(tree->first);
  if (size > PROGRAM_MAX) return size;
  size_t inner = tree->first != NULL ? program_size(tree->first) : 0;
  size_t least = (size_t)tree->least, most = tree->most < 0 ? 0 : (size_t)tree->most;
  switch (tree->kind) {
    case TREE_SET:
    case TREE_ASSERT: return size + 1;
    case TREE_GROUP: return size + inner + 2;
    case TREE_CHOICE: return size + inner + 2 + program_size(tree->second);
    case TREE_REPEAT: return size + least * inner + (tree->most < 0 ? inner + 2 : (most - least) * (inner + 1));
    default: return size;
  }
}

static struct instruction *emit(struct compiler *compiler, enum operation operation) {
  struct instruction *instruction = &compiler->regexp->program[compiler->regexp->size++];
  instruction->operation = operation;
  return instruction;
}

static void compile(struct compiler *compiler, const struct tree *tree);

/* A split whose one way is what follows it; the other is returned, to be set. */
static size_t *emit_split(struct compiler *compiler, bool lazy) {
  struct instruction *split = emit(compiler, OP_SPLIT);
  *(lazy ? &split->y : &split->x) = compiler->regexp->size;
  return lazy ? &split->x : &split->y;
}

static void compile_repeat(struct compiler *compiler, const struct tree *tree) {
  struct regexp *regexp = compiler->regexp;
  for (int i = 0; i < tree->least; i++)
    compile(compiler, tree->first);
  if (tree->most < 0) {
    size_t start = regexp->size;
    size_t *end = emit_split(compiler, tree->lazy);
    compile(compiler, tree->first);
    emit(compiler, OP_JUMP)->x = start;
    *end = regexp->size;
  } else if (tree->most > tree->least) { /* each further one lies within the one before: (x(x(x)?)?)? */
    int count = tree->most - tree->least;
    size_t **ends = render_alloc(compiler->render, (size_t)count, sizeof(*ends));
    for (int i = 0; i < count; i++) {
      ends[i] = emit_split(compiler, tree->lazy);
      compile(compiler, tree->first);
    }
    for (int i = 0; i < count; i++)
      *ends[i] = regexp->size;
  }
}

static void compile(struct compiler *compiler, const struct tree *tree) {
  struct regexp *regexp = compiler->regexp;
  for (; tree->kind == TREE_JOIN; tree = tree->second)
    compile(compiler, tree->first);
  switch (tree->kind) {
    case TREE_JOIN:
    case TREE_EMPTY: break;
    case TREE_SET: emit(compiler, OP_SET)->set = tree->set; break;
    case TREE_ASSERT: emit(compiler, OP_ASSERT)->assertion = tree->assertion; break;
    case TREE_REPEAT: compile_repeat(compiler, tree); break;
    case TREE_CHOICE: {
      size_t *second = emit_split(compiler, false);
      compile(compiler, tree->first);
      struct instruction *jump = emit(compiler, OP_JUMP);
      *second = regexp->size;
      compile(compiler, tree->second);
      jump->x = regexp->size;
      break;
    }
    case TREE_GROUP:
      emit(compiler, OP_SAVE)->x = 2 * tree->group;
      compile(compiler, tree->first);
      emit(compiler, OP_SAVE)->x = 2 * tree->group + 1;
      break;
  }
}

static struct threads threads_new(struct render *render, const struct regexp *regexp) {
  struct threads threads = {0, render_alloc(render, regexp->size, sizeof(*threads.items))};
  size_t *ends = render_alloc(render, regexp->size, 2 * regexp->groups * sizeof(*ends));
  for (size_t i = 0; i < regexp->size; i++)
    threads.items[i].ends = ends + i * 2 * regexp->groups;
  return threads;
}

struct regexp *regexp_compile(struct render *render, struct text pattern, const char **wrong_with) {
  struct compiler compiler = {.render = render, .pattern = pattern};
  struct regexp *regexp = compiler.regexp = render_alloc(render, 1, sizeof(*regexp));
  (void)add_group(&compiler, TEXT("")); /* the whole match */
  struct tree whole = {.kind = TREE_GROUP, .first = parse_choice(&compiler)};
  if (compiler.wrong == NULL && compiler.at < pattern.size) (void)wrong(&compiler, "an unexpected )");
  *wrong_with = compiler.wrong;
  if (compiler.wrong != NULL) return NULL;
  size_t size = program_size(&whole) + 1;
  if (size > PROGRAM_MAX) render_fail(render, "the regular expression is too large");
  regexp->program = render_alloc(render, size, sizeof(*regexp->program));
  compile(&compiler, &whole);
  (void)emit(&compiler, OP_MATCH);
  regexp->seen = render_alloc(render, size, sizeof(*regexp->seen));
  regexp->stack = render_alloc(render, 2 * size + 2, sizeof(*regexp->stack));
  regexp->ends = render_alloc(render, 2 * regexp->groups, sizeof(*regexp->ends));
  regexp->now = threads_new(render, regexp);
  regexp->next = threads_new(render, regexp);
  return regexp;
}

size_t regexp_group_count(const struct regexp *regexp) {
  return regexp->groups;
}

size_t regexp_group(const struct regexp *regexp, struct text name) {
  for (size_t i = 1; i < regexp->groups; i++)
    if (name.size > 0 && text_equal(regexp->names[i], name)) return i;
  return SIZE_MAX;
}

/* ---- the machine */

struct search {
  struct render *render;
  struct regexp *regexp;
  struct text text;
  size_t work; /* done since the render was charged last */
};

static bool is_word(struct text text, size_t at) {
  char c = at < text.size ? text.bytes[at] : ' ';
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool holds(enum assertion assertion, struct text text, size_t at) {
  bool edge = (at > 0 && is_word(text, at - 1)) != is_word(text, at);
  switch (assertion) {
    case AT_TEXT_START: return at == 0;
    case AT_TEXT_END: return at == text.size;
    case AT_LINE_START: return at == 0 || text.bytes[at - 1] == '\n';
    case AT_LINE_END: return at == text.size || text.bytes[at] == '\n';
    case AT_WORD_EDGE: return edge;
    case AT_NO_WORD_EDGE: return !edge;
  }
  return false;
}

/* Follows all that needs no character from `start` on; the threads it ends in are added, once each. */
static void follow(struct search *search, struct threads *threads, size_t start, size_t at) {
  struct regexp *regexp = search->regexp;
  struct pending *stack = regexp->stack;
  size_t depth = 0;
  stack[depth++] = (struct pending){.pc = start};
  while (depth > 0) {
    struct pending pending = stack[--depth];
    search->work++;
    if (pending.pc == SIZE_MAX) {
      regexp->ends[pending.slot] = pending.old;
      continue;
    }
    if (regexp->seen[pending.pc] == regexp->step) continue;
    regexp->seen[pending.pc] = regexp->step;
    const struct instruction *instruction = &regexp->program[pending.pc];
    switch (instruction->operation) {
      case OP_JUMP: stack[depth++] = (struct pending){.pc = instruction->x}; break;
      case OP_SPLIT:
        stack[depth++] = (struct pending){.pc = instruction->y};
        stack[depth++] = (struct pending){.pc = instruction->x};
        break;
      case OP_SAVE:
        stack[depth++] = (struct pending){SIZE_MAX, instruction->x, regexp->ends[instruction->x]};
        regexp->ends[instruction->x] = at;
        stack[depth++] = (struct pending){.pc = pending.pc + 1};
        break;
      case OP_ASSERT:
        if (holds(instruction->assertion, search->text, at)) stack[depth++] = (struct pending){.pc = pending.pc + 1};
        break;
      case OP_SET:
      case OP_MATCH: {
        struct thread *thread = &threads->items[threads->count++];
        thread->pc = pending.pc;
        memcpy(thread->ends, regexp->ends, 2 * regexp->groups * sizeof(*thread->ends));
        search->work += regexp->groups;
        break;
      }
    }
  }
}

/* Moves every thread over one character, the one before `after`; true when a match was reached, which ends all threads
 * of lower priority. At the text's end `after` is SIZE_MAX. */
static bool advance(struct search *search, uint32_t rune, size_t after, size_t *ends) {
  struct regexp *regexp = search->regexp;
  size_t bytes = 2 * regexp->groups * sizeof(*ends);
  regexp->step++;
  regexp->next.count = 0;
  for (size_t i = 0; i < regexp->now.count; i++) {
    const struct thread *thread = &regexp->now.items[i];
    const struct instruction *instruction = &regexp->program[thread->pc];
    if (instruction->operation == OP_MATCH) {
      memcpy(ends, thread->ends, bytes);
      return true;
    }
    search->work += instruction->set->count;
    if (after == SIZE_MAX || !set_has(search->render, instruction->set, rune)) continue;
    memcpy(regexp->ends, thread->ends, bytes);
    follow(search, &regexp->next, thread->pc + 1, after);
  }
  return false;
}

bool regexp_find(struct render *render, struct regexp *regexp, struct text text, size_t from, size_t *ends) {
  struct search search = {.render = render, .regexp = regexp, .text = text};
  bool found = false;
  regexp->step++;
  regexp->now.count = 0;
  for (size_t at = from;;) {
    if (!found) { /* a match may begin here, after all that began before */
      memset(regexp->ends, 0xFF, 2 * regexp->groups * sizeof(*regexp->ends));
      follow(&search, &regexp->now, 0, at);
    }
    if (regexp->now.count == 0 && found) break;
    size_t after = at;
    uint32_t rune = at < text.size ? rune_next(text, &after) : 0;
    found |= advance(&search, rune, at < text.size ? after : SIZE_MAX, ends);
    render_charge(render, search.work / 16);
    search.work %= 16;
    struct threads swapped = regexp->now;
    regexp->now = regexp->next;
    regexp->next = swapped;
    if (at >= text.size) break;
    at = after;
  }
  return found;
}
