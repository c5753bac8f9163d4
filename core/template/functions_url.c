/* sprig's urlParse and urlJoin (RFC 3986, as Go's net/url reads it): an URL to a map of its parts and back. */
#include "core/template/internal.h"

static int hex_digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static struct text decode(struct render *render, struct text text) {
  struct builder builder = BUILDER(render);
  for (size_t i = 0; i < text.size; i++) {
    char c = text.bytes[i];
    if (c == '%') {
      bool room = text.size - i > 2;
      int high = room ? hex_digit(text.bytes[i + 1]) : -1, low = room ? hex_digit(text.bytes[i + 2]) : -1;
      if (high < 0 || low < 0) render_fail(render, "urlParse: a percent sign without two hexadecimal digits");
      c = (char)(high << 4 | low);
      i += 2;
    }
    build_bytes(&builder, &c, 1);
  }
  return build_done(&builder);
}

/* Percent signs for all but letters, digits, -_.~ and `also`. */
static void encode(struct builder *builder, struct text text, const char *also) {
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.bytes[i];
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 (c != '\0' && (strchr("-_.~", c) != NULL || strchr(also, c) != NULL));
    if (plain)
      build_bytes(builder, text.bytes + i, 1);
    else
      build_printf(builder, "%%%02X", c);
  }
}

/* Splits at the first `mark`: returns what is before it, `*rest` is what is behind; all and "" when it is not there. */
static struct text cut(struct text text, struct text mark, struct text *rest) {
  size_t at = text_find(text, mark, 0);
  *rest = at == SIZE_MAX ? TEXT("") : text_part(text, at + mark.size, text.size);
  return at == SIZE_MAX ? text : text_part(text, 0, at);
}

/* The scheme with its colon taken off `*text`; empty when there is none. */
static struct text take_scheme(struct render *render, struct text *text) {
  for (size_t i = 0; i < text->size; i++) {
    char c = text->bytes[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c == ':' && i == 0) render_fail(render, "urlParse: the scheme before the colon is missing");
    if (c == ':') {
      struct builder lower = BUILDER(render);
      for (size_t j = 0; j < i; j++)
        build_rune(&lower, rune_lower(render, (unsigned char)text->bytes[j]));
      *text = text_part(*text, i + 1, text->size);
      return build_done(&lower);
    }
    if (!letter && (i == 0 || ((c < '0' || c > '9') && c != '+' && c != '-' && c != '.'))) break;
  }
  return TEXT("");
}

static void check_host(struct render *render, struct text host) {
  size_t bracket = text_find(host, TEXT("]"), 0), colon = text_find(host, TEXT(":"), 0);
  if (host.size > 0 && host.bytes[0] == '[') {
    if (bracket == SIZE_MAX) render_fail(render, "urlParse: the host's closing ] is missing");
    colon = text_find(host, TEXT(":"), bracket);
  }
  for (size_t i = 0; i < host.size; i++)
    if (host.bytes[i] == ' ' || (host.bytes[i] == '%' && i + 1 < host.size && host.bytes[i + 1] < '8') ||
        host.bytes[i] == '<' || host.bytes[i] == '>' || host.bytes[i] == '"')
      render_fail(render, "urlParse: a character that cannot be in a host's name");
  for (size_t i = colon == SIZE_MAX ? host.size : colon + 1; i < host.size; i++)
    if (host.bytes[i] < '0' || host.bytes[i] > '9') render_fail(render, "urlParse: the port is no number");
}

static void put(struct render *render, struct map *map, const char *key, struct text text) {
  map_set(render, map, (struct text){key, strlen(key)}, value_text(text));
}

/* The host without port and brackets. */
static struct text host_name(struct text host) {
  size_t close = text_find(host, TEXT("]"), 0);
  if (host.size > 0 && host.bytes[0] == '[' && close != SIZE_MAX) return text_part(host, 1, close);
  struct text port;
  return cut(host, TEXT(":"), &port);
}

/* "user:password", checked and with percent signs where they are needed. */
static struct text user_text(struct render *render, struct text user) {
  for (size_t i = 0; i < user.size; i++) {
    char c = user.bytes[i];
    bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!word && (c == '\0' || strchr("-._:~!$&'()*+,;=%@", c) == NULL))
      render_fail(render, "a character that cannot be in a URL's user name or password");
  }
  struct builder builder = BUILDER(render);
  struct text password, name = cut(user, TEXT(":"), &password);
  encode(&builder, decode(render, name), "$&+,;=");
  if (name.size < user.size) build_string(&builder, ":");
  encode(&builder, decode(render, password), "$&+,;=");
  return build_done(&builder);
}

/* //user@host:port; what is behind it is left in `*rest`. */
static void parse_authority(struct render *render, struct map *map, struct text *rest) {
  struct text authority = text_part(*rest, 2, rest->size);
  size_t slash = text_find(authority, TEXT("/"), 0);
  *rest = slash == SIZE_MAX ? TEXT("") : text_part(authority, slash, authority.size);
  if (slash != SIZE_MAX) authority.size = slash;
  for (size_t i = authority.size; i > 0; i--) {
    if (authority.bytes[i - 1] != '@') continue;
    put(render, map, "userinfo", user_text(render, text_part(authority, 0, i - 1)));
    authority = text_part(authority, i, authority.size);
    break;
  }
  check_host(render, authority);
  struct text host = decode(render, authority);
  put(render, map, "host", host);
  put(render, map, "hostname", host_name(host));
}

FUNCTION(fn_url_parse) {
  static const char *const keys[] = {"scheme", "userinfo", "host", "hostname", "opaque", "path", "query", "fragment"};
  struct map *map = map_new(render);
  struct text fragment, query;
  struct text rest = cut(cut(args[0].text, TEXT("#"), &fragment), TEXT("?"), &query);
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
    put(render, map, keys[i], TEXT(""));
  for (size_t i = 0; i < args[0].text.size; i++)
    if ((unsigned char)args[0].text.bytes[i] < 0x20 || args[0].text.bytes[i] == 0x7F)
      render_fail(render, "urlParse: a control character");
  put(render, map, "fragment", decode(render, fragment));
  put(render, map, "query", query);
  struct text scheme = take_scheme(render, &rest);
  put(render, map, "scheme", scheme);
  bool rooted = rest.size > 0 && rest.bytes[0] == '/';
  if (scheme.size > 0 && !rooted && rest.size > 0) {
    put(render, map, "opaque", rest);
    return value_map(map, TYPE_PLAIN);
  }
  size_t colon = text_find(rest, TEXT(":"), 0), slash = text_find(rest, TEXT("/"), 0);
  if (!rooted && colon != SIZE_MAX && colon < slash)
    render_fail(render, "urlParse: a colon in a path's first name; put a scheme or a slash before it");
  bool slashes = text_find(rest, TEXT("//"), 0) == 0, three = text_find(rest, TEXT("///"), 0) == 0;
  if (slashes && (scheme.size > 0 || !three)) parse_authority(render, map, &rest);
  put(render, map, "path", decode(render, rest));
  return value_map(map, TYPE_PLAIN);
}

static struct text get(struct render *render, const struct map *map, const char *key) {
  const struct value *found = map_find(map, (struct text){key, strlen(key)});
  if (found == NULL) return TEXT("");
  if (found->kind != VALUE_STRING) render_fail(render, "urlJoin: %s must be a string", key);
  return found->text;
}

FUNCTION(fn_url_join) {
  struct builder builder = BUILDER(render);
  struct text scheme = get(render, args[0].map, "scheme"), opaque = get(render, args[0].map, "opaque"),
              user = get(render, args[0].map, "userinfo"), host = get(render, args[0].map, "host"),
              path = get(render, args[0].map, "path"), query = get(render, args[0].map, "query"),
              fragment = get(render, args[0].map, "fragment");
  build_text(&builder, scheme);
  if (scheme.size > 0) build_string(&builder, ":");
  if (opaque.size > 0) {
    build_text(&builder, opaque);
  } else {
    bool authority = scheme.size > 0 || host.size > 0 || user.size > 0;
    if (authority && (host.size > 0 || path.size > 0 || user.size > 0)) build_string(&builder, "//");
    build_text(&builder, user_text(render, user));
    if (user.size > 0) build_string(&builder, "@");
    encode(&builder, host, "!$&'()*+,;=:[]<>\"");
    if (path.size > 0 && path.bytes[0] != '/' && host.size > 0) build_string(&builder, "/");
    encode(&builder, path, "$&+,/:;=@");
  }
  if (query.size > 0) build_string(&builder, "?");
  build_text(&builder, query);
  if (fragment.size > 0) build_string(&builder, "#");
  encode(&builder, fragment, "$&+,/:;=?@!()*");
  return value_text(build_done(&builder));
}

const struct function functions_url[] = {
    {"urlJoin", "m", fn_url_join}, {"urlParse", "s", fn_url_parse}, {NULL, NULL, NULL}};
