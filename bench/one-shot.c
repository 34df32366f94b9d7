/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One-shot requests, as fast as a server answers them: connect, send, read to the end, again.
 * usage: one-shot HOST PORT CONCURRENT SECONDS METHOD PATH [BODY]
 * Prints "ANSWERS-PER-SECOND P50-MICROSECONDS P99-MICROSECONDS FAILED". HOST is an IPv4 literal;
 * what is no 2xx answer, or none, has failed. One thread, no library: it must not be what is
 * measured. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONCURRENT 256
#define MAX_SAMPLES 4000000

typedef struct
{
  int fd;
  double began;
  char status[16]; /* the first bytes of the answer */
  size_t received;
} Client;

static struct sockaddr_in server;
static char request[65536];
static size_t request_length;
static int epoll_fd;
static float samples[MAX_SAMPLES];
static size_t n_samples, n_limited, n_failed;

static double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void
begin (Client *client)
{
  struct epoll_event event = { EPOLLIN, { .ptr = client } };

  client->began = now ();
  client->received = 0;
  client->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  /* On loopback both are done at once: blocking calls cost no waiting. */
  if (client->fd < 0 || connect (client->fd, (struct sockaddr *)&server, sizeof server) < 0
      || send (client->fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length
      || epoll_ctl (epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
    {
      perror ("one-shot");
      exit (1);
    }
}

static void
finish (Client *client)
{
  /* "HTTP/1.1 2xx" */
  bool limited = memcmp (client->status + 9, "429", 3) == 0;

  if (client->received < 12 || (client->status[9] != '2' && !limited))
    n_failed++;
  else if (n_samples < MAX_SAMPLES)
    samples[n_samples++] = (now () - client->began) * 1e6;
  n_limited += limited;
  close (client->fd);
  begin (client);
}

static void
on_readable (Client *client)
{
  char buffer[65536];
  ssize_t n = recv (client->fd, buffer, sizeof buffer, MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0)
    {
      finish (client);
      return;
    }
  for (ssize_t i = 0; i < n && client->received + i < sizeof client->status; i++)
    client->status[client->received + i] = buffer[i];
  client->received += n;
}

static int
compare (const void *a, const void *b)
{
  const float x = *(const float *)a, y = *(const float *)b;

  return x < y ? -1 : x > y;
}

int
main (int argc, char **argv)
{
  static Client clients[MAX_CONCURRENT];
  struct epoll_event events[MAX_CONCURRENT];
  const char *body = argc > 7 ? argv[7] : "";
  int concurrent;
  double begun, end;

  if (argc < 7)
    {
      fprintf (stderr, "usage: %s HOST PORT CONCURRENT SECONDS METHOD PATH [BODY]\n", argv[0]);
      return 2;
    }
  server.sin_family = AF_INET;
  server.sin_port = htons (atoi (argv[2]));
  inet_pton (AF_INET, argv[1], &server.sin_addr);
  concurrent = atoi (argv[3]);
  if (concurrent > MAX_CONCURRENT)
    concurrent = MAX_CONCURRENT;
  request_length = snprintf (request, sizeof request,
                             "%s %s HTTP/1.1\r\nHost: %s:%s\r\nUser-Agent: one-shot\r\n"
                             "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                             "Connection: close\r\n\r\n%s",
                             argv[5], argv[6], argv[1], argv[2], strlen (body), body);
  epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  begun = now ();
  end = begun + atof (argv[4]);
  for (int i = 0; i < concurrent; i++)
    begin (&clients[i]);
  while (now () < end)
    {
      int n = epoll_wait (epoll_fd, events, MAX_CONCURRENT, 1000);

      for (int i = 0; i < n; i++)
        on_readable (events[i].data.ptr);
    }
  end = now ();
  qsort (samples, n_samples, sizeof *samples, compare);
  printf ("%.0f %.0f %.0f %zu %zu\n", n_samples / (end - begun),
          n_samples > 0 ? samples[n_samples / 2] : 0.0,
          n_samples > 0 ? samples[n_samples * 99 / 100] : 0.0, n_limited, n_failed);
  return 0;
}
