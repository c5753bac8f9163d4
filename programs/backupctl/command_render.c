/* `backupctl render`: what a path template comes to, without anything being backed up. */
#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/template/template.h"
#include "programs/backupctl/ctl.h"

#define MAX_DATA_BYTES ((size_t)4 * 1024 * 1024)

int ctl_render(const struct ctl_options *options) {
  struct bo_error error = BO_ERROR_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer data = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  int64_t now = bo_realtime_ms() / 1000;
  int result = BO_OK;
  if (options->operands.count != 1)
    result = bo_error_set(&error, BO_CLASS_CONFIG, 0,
                          "one TEMPLATE is required: backupctl render '{{ now | date \"2006\" }}'");
  else if (options->now != NULL && !bo_time_parse(options->now, &now))
    result =
        bo_error_set(&error, BO_CLASS_CONFIG, 0, "--now %s: must be a time such as 2026-11-24T18:10:27Z", options->now);
  else if (options->data_file != NULL)
    result = bo_read_file(options->data_file, MAX_DATA_BYTES, &data, &error);
  const struct timespec when = {.tv_sec = now};
  if (result == BO_OK)
    result = bo_template_render(options->operands.items[0], options->data_file == NULL ? "{}" : bo_buffer_text(&data),
                                when, NULL, &text, &error);
  if (result != BO_OK) return ctl_complain(options, &error);
  bool written = fwrite(bo_buffer_text(&text), 1, text.size, stdout) == text.size && fflush(stdout) == 0;
  return written ? CTL_OK : CTL_FAILED;
}
