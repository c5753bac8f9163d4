/*
 * measure - runs a command and says what it cost, with all of its descendants: those that lost their parent come to
 * this process (a subreaper) and are waited for, so that their CPU time counts and nothing runs on into the next
 * measurement.
 *
 *   measure RESULT COMMAND ARG...
 *
 * Writes "<wall seconds> <CPU seconds> <KiB>" to the file RESULT; KiB is the peak resident memory of the largest
 * process. Ends with the command's exit status.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds(struct timeval time) {
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Until there is no child left. The command's own end stops the clock: what it left behind is not waited for by a user
 * either. */
static int wait_for_all(pid_t command, double *end_s) {
  int command_status = 0, status;
  for (;;) {
    pid_t pid = wait(&status);
    if (pid < 0 && errno == ECHILD) return command_status;
    if (pid != command) continue;
    *end_s = now_s();
    command_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}

int main(int argc, char **argv) {
  if (argc < 3) {
    (void)fputs("usage: measure RESULT COMMAND ARG...\n", stderr);
    return 2;
  }
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    perror("measure: prctl");
    return 2;
  }
  double begin_s = now_s(), end_s = begin_s;
  pid_t command = fork();
  if (command < 0) {
    perror("measure: fork");
    return 2;
  }
  if (command == 0) {
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    _exit(127);
  }
  int status = wait_for_all(command, &end_s);
  struct rusage usage;
  FILE *result = fopen(argv[1], "we");
  if (getrusage(RUSAGE_CHILDREN, &usage) != 0 || result == NULL ||
      fprintf(result, "%.3f %.3f %ld\n", end_s - begin_s, seconds(usage.ru_utime) + seconds(usage.ru_stime),
              usage.ru_maxrss) < 0 ||
      fclose(result) != 0) {
    perror(argv[1]);
    return 2;
  }
  return status;
}
