/*
 * tests/faulty_server.c - an SFTP server that goes wrong when it is told to: faulty-server SERVER FAULTS
 *
 * sshd starts it as its subsystem. It starts the real server, and passes requests and replies on. Each connection takes
 * the first line out of the file FAULTS, if there is one; it says what goes wrong, at the N-th request of a type:
 *
 *   lose-request TYPE N    the connection ends instead of that request being carried out
 *   lose-answer TYPE N     the request is carried out, but the connection ends before its answer
 *   stall TYPE N           nothing is answered any more
 *   fail TYPE N            the answer is a plain failure, and the request is not carried out
 *   short TYPE N           of that read only a part is answered
 *   swap TYPE N            the answers to that request and the next one change places
 *   plain                  the server has no extensions
 *   refuse                 the connection ends at once
 *   fine                   nothing goes wrong
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENGTH_BYTES 4
#define PACKET_MAX (512 * 1024)
#define TYPE_AT 4
#define ID_AT 5

static struct {
  char what[32];
  unsigned type;
  unsigned number; /* counts down to the request that is meant */
  bool losing;     /* lose-answer: the request is out */
  unsigned char lost_id[4];
  bool swapping;
} fault;

struct stream {
  int from, to;
  size_t size;
  unsigned char bytes[PACKET_MAX];
};
static struct stream requests, replies;
static unsigned char held[PACKET_MAX];
static size_t held_size;

static bool is(const char *what) {
  return strcmp(fault.what, what) == 0;
}

static uint32_t number_at(const unsigned char *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void store(unsigned char *bytes, uint32_t number) {
  for (int i = 0; i < 4; i++)
    bytes[i] = (unsigned char)(number >> (24 - 8 * i));
}

static void give(int fd, const unsigned char *bytes, size_t size) {
  while (size > 0) {
    ssize_t count = write(fd, bytes, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) exit(0);
    bytes += count;
    size -= (size_t)count;
  }
}

static void take_line(const char *path) {
  static char text[4096];
  FILE *file = fopen(path, "r");
  if (file == NULL) return;
  size_t size = fread(text, 1, sizeof(text) - 1, file);
  fclose(file);
  text[size] = '\0';
  if (sscanf(text, "%31s %u %u", fault.what, &fault.type, &fault.number) < 1) return;
  char *rest = strchr(text, '\n');
  rest = rest == NULL ? text + size : rest + 1;
  file = fopen(path, "w");
  if (file == NULL) exit(1);
  fputs(rest, file);
  fclose(file);
}

static void answer_failure(const unsigned char *packet) {
  static const unsigned char empty[8];
  unsigned char reply[LENGTH_BYTES + 1 + 4 + 4 + sizeof(empty)] = {0};
  store(reply, sizeof(reply) - LENGTH_BYTES);
  reply[TYPE_AT] = 101;
  memcpy(reply + ID_AT, packet + ID_AT, 4);
  store(reply + ID_AT + 4, 4);
  give(replies.to, reply, sizeof(reply));
}

static void pass_request(unsigned char *packet, size_t size) {
  bool meant = packet[TYPE_AT] == fault.type && fault.number > 0 && --fault.number == 0;
  if (meant && is("lose-request")) exit(0);
  if (meant && is("stall")) {
    close(requests.to);
    sleep(600);
    exit(0);
  }
  if (meant && is("fail")) {
    answer_failure(packet);
    return;
  }
  if (meant && is("short") && number_at(packet + size - 4) > 1)
    store(packet + size - 4, number_at(packet + size - 4) / 2);
  if (meant && (is("lose-answer") || is("swap"))) {
    fault.losing = is("lose-answer");
    fault.swapping = is("swap");
    memcpy(fault.lost_id, packet + ID_AT, 4);
  }
  give(requests.to, packet, size);
}

static void pass_reply(unsigned char *packet, size_t size) {
  bool meant = (fault.losing || fault.swapping) && memcmp(packet + ID_AT, fault.lost_id, 4) == 0;
  if (meant && fault.losing) exit(0);
  if (packet[TYPE_AT] == 2 && is("plain")) {
    store(packet, 5);
    size = LENGTH_BYTES + 5;
  }
  if (meant && fault.swapping) {
    memcpy(held, packet, size);
    held_size = size;
    return;
  }
  give(replies.to, packet, size);
  if (held_size > 0) give(replies.to, held, held_size);
  held_size = 0;
}

/* Reads what is there, and passes on whole packets. */
static void pump(struct stream *stream, void (*pass)(unsigned char *packet, size_t size)) {
  ssize_t count = read(stream->from, stream->bytes + stream->size, sizeof(stream->bytes) - stream->size);
  if (count <= 0) exit(0);
  stream->size += (size_t)count;
  while (stream->size >= ID_AT + 4) {
    size_t size = LENGTH_BYTES + (size_t)number_at(stream->bytes);
    if (size > sizeof(stream->bytes)) exit(1);
    if (size > stream->size) break;
    pass(stream->bytes, size);
    stream->size -= size;
    memmove(stream->bytes, stream->bytes + size, stream->size);
  }
}

int main(int argc, char **argv) {
  int down[2];
  int up[2];
  if (argc != 3 || pipe(down) != 0 || pipe(up) != 0) return 2;
  take_line(argv[2]);
  if (is("refuse")) return 0;
  signal(SIGPIPE, SIG_IGN);
  pid_t server = fork();
  if (server == 0) {
    dup2(down[0], 0);
    dup2(up[1], 1);
    close(down[1]);
    close(up[0]);
    execl(argv[1], argv[1], (char *)NULL);
    _exit(127);
  }
  close(down[0]);
  close(up[1]);
  requests.from = 0;
  requests.to = down[1];
  replies.from = up[0];
  replies.to = 1;
  for (;;) {
    struct pollfd fds[2] = {{.fd = requests.from, .events = POLLIN}, {.fd = replies.from, .events = POLLIN}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return 1;
    if (fds[0].revents != 0) pump(&requests, pass_request);
    if (fds[1].revents != 0) pump(&replies, pass_reply);
  }
}
