/*
 * plugins/storage-s3/xml.c - S3's answers are XML: what of them is wanted, by expat, element by element.
 *
 * No entities of a document's own (a DOCTYPE is refused), a bounded depth and bounded texts: a server's answer must
 * not be able to use up memory.
 */
#include <expat.h>

#include "core/base/error.h"
#include "plugins/storage-s3/storage-s3.h"

#define DEPTH_MAX 16
#define TEXT_MAX 16384

struct reading {
  XML_Parser parser;
  s3_xml_function *each;
  void *context;
  struct bo_error *error;
  int result;
  struct bo_buffer path;
  struct bo_buffer text;
  size_t lengths[DEPTH_MAX]; /* of the path, before each open element */
  unsigned depth;
  bool leaf; /* no element has ended or begun since the last one began */
};

static void stop(struct reading *reading, int result) {
  reading->result = result;
  (void)XML_StopParser(reading->parser, XML_FALSE);
}

static void refuse(struct reading *reading, const char *why) {
  stop(reading, bo_error_set(reading->error, BO_CLASS_PROTOCOL, 0, "the server's answer %s", why));
}

static void on_start(void *context, const XML_Char *name, const XML_Char **attributes) {
  struct reading *reading = context;
  (void)attributes;
  if (reading->result != BO_OK) return;
  if (reading->depth == DEPTH_MAX) return refuse(reading, "is XML nested too deep");
  reading->lengths[reading->depth++] = reading->path.size;
  (void)bo_buffer_printf(&reading->path, "%s%s", reading->path.size == 0 ? "" : "/", name);
  bo_buffer_clear(&reading->text);
  reading->leaf = true;
}

static void on_end(void *context, const XML_Char *name) {
  struct reading *reading = context;
  (void)name;
  if (reading->result != BO_OK) return;
  if (reading->path.failed || reading->text.failed) return stop(reading, bo_error_no_memory(reading->error));
  const char *text = reading->leaf ? bo_buffer_text(&reading->text) : NULL;
  int result = reading->each(reading->context, bo_buffer_text(&reading->path), text, reading->error);
  if (result != BO_OK) return stop(reading, result);
  reading->path.size = reading->lengths[--reading->depth];
  reading->path.bytes[reading->path.size] = '\0';
  reading->leaf = false;
}

static void on_text(void *context, const XML_Char *text, int length) {
  struct reading *reading = context;
  if (reading->result != BO_OK || !reading->leaf) return;
  if (reading->text.size + (size_t)length > TEXT_MAX) return refuse(reading, "is XML with a text that is too long");
  (void)bo_buffer_append(&reading->text, text, (size_t)length);
}

static void on_doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                       int internal) {
  (void)name;
  (void)system;
  (void)public;
  (void)internal;
  refuse(context, "is XML with a DOCTYPE, which S3 never sends");
}

int s3_xml_parse(const void *bytes, size_t size, s3_xml_function *each, void *context, struct bo_error *error) {
  struct reading reading = {.each = each, .context = context, .error = error, .result = BO_OK};
  reading.parser = XML_ParserCreate("UTF-8");
  if (reading.parser == NULL) return bo_error_no_memory(error);
  XML_SetUserData(reading.parser, &reading);
  XML_SetElementHandler(reading.parser, on_start, on_end);
  XML_SetCharacterDataHandler(reading.parser, on_text);
  XML_SetStartDoctypeDeclHandler(reading.parser, on_doctype);
  /* A server that keeps the connection alive sends blanks before the document. */
  const char *at = bytes;
  while (size > 0 && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
    at++;
    size--;
  }
  enum XML_Status status = XML_Parse(reading.parser, at, (int)size, XML_TRUE);
  int result = reading.result;
  if (result == BO_OK && status != XML_STATUS_OK)
    result = bo_error_set(error, BO_CLASS_PROTOCOL, 0, "the server's answer is not the XML that S3 sends: %s",
                          XML_ErrorString(XML_GetErrorCode(reading.parser)));
  XML_ParserFree(reading.parser);
  bo_buffer_free(&reading.path);
  bo_buffer_free(&reading.text);
  return result;
}

void s3_xml_escape(struct bo_buffer *out, const char *text) {
  for (; *text != '\0'; text++) {
    switch (*text) {
      case '<': (void)bo_buffer_append_text(out, "&lt;"); break;
      case '>': (void)bo_buffer_append_text(out, "&gt;"); break;
      case '&': (void)bo_buffer_append_text(out, "&amp;"); break;
      case '"': (void)bo_buffer_append_text(out, "&quot;"); break;
      default: (void)bo_buffer_append(out, text, 1);
    }
  }
}
