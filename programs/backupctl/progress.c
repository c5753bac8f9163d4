/* What the user sees while a run goes on: a bar on a terminal, a plain line every ten seconds elsewhere. */
#include <inttypes.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "programs/backupctl/ctl.h"

#define LINE_MS 10000
#define BAR_WIDTH 24

void ctl_progress_begin(struct ctl_progress *progress, const struct ctl_options *options, const char *what,
                        double total_bytes) {
  *progress = (struct ctl_progress){
      .terminal = isatty(STDERR_FILENO) == 1,
      .silent = options->quiet || options->json,
      .what = what,
      .begin_ms = bo_monotonic_ms(),
      .total_bytes = total_bytes,
  };
  progress->last_ms = progress->begin_ms;
}

static void bar(const struct ctl_progress *progress, double done, struct bo_buffer *line) {
  double part = done / progress->total_bytes;
  if (part > 1) part = 1;
  int filled = (int)(part * BAR_WIDTH);
  (void)bo_buffer_append_text(line, "[");
  for (int i = 0; i < BAR_WIDTH; i++)
    (void)bo_buffer_append_text(line, i < filled ? "#" : "-");
  (void)bo_buffer_printf(line, "] %3.0f %%  ", part * 100);
}

void ctl_progress_update(struct ctl_progress *progress, uint64_t plain_bytes, uint64_t stored_bytes) {
  uint64_t now_ms = bo_monotonic_ms();
  if (progress->silent || (!progress->terminal && now_ms - progress->last_ms < LINE_MS)) return;
  if (plain_bytes < progress->last_bytes) progress->last_bytes = 0; /* verified first: the second reading has begun */
  if (plain_bytes < progress->last_bytes) progress->last_bytes = 0; /* the second pass of a restore */
  double seconds = (double)(now_ms - progress->last_ms) / 1000;
  double rate = seconds > 0 ? (double)(plain_bytes - progress->last_bytes) / seconds : 0;
  progress->rate = progress->shown ? progress->rate * 0.6 + rate * 0.4 : rate;
  progress->last_ms = now_ms;
  progress->last_bytes = plain_bytes;
  progress->shown = true;
  char plain[32];
  char stored[32];
  char per_second[32];
  bo_human_size(plain_bytes, plain);
  bo_human_size(stored_bytes, stored);
  bo_human_size((uint64_t)progress->rate, per_second);
  uint64_t elapsed = (now_ms - progress->begin_ms) / 1000;
  BO_CLEANUP_BUFFER struct bo_buffer line = BO_BUFFER_INIT;
  if (progress->terminal) (void)bo_buffer_append_text(&line, "\r\033[K");
  (void)bo_buffer_printf(&line, "%s  ", progress->what);
  if (progress->terminal && progress->total_bytes > 0) bar(progress, (double)stored_bytes, &line);
  (void)bo_buffer_printf(&line, "%s plain, %s stored, %s/s, %" PRIu64 ":%02" PRIu64, plain, stored, per_second,
                         elapsed / 60, elapsed % 60);
  (void)fprintf(stderr, progress->terminal ? "%s" : "%s\n", bo_buffer_text(&line));
  (void)fflush(stderr);
}

void ctl_progress_end(struct ctl_progress *progress) {
  if (progress->shown && progress->terminal) (void)fputs("\r\033[K", stderr);
  progress->shown = false;
}
