/* See setup.h. */
#include "setup.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OTHERS = 64 }; /* descriptors besides the clients' */

static volatile int *stop_flag;

int map_file(const char *path, const uint8_t **ret_data, uint64_t *ret_size)
{
    struct stat st;
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    void *data = (void *)(uintptr_t) "";
    if (st.st_size > 0)
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED)
        return -errno;
    *ret_data = data;
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

void allow_descriptors(const char *program, uint64_t n)
{
    struct rlimit limit, wanted;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= n + OTHERS)
        return;
    wanted = (struct rlimit){n + OTHERS, limit.rlim_max < n + OTHERS ? n + OTHERS : limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &wanted) == 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    fprintf(stderr, "%s: %llu sockets are wanted, and %llu descriptors are all that the system allows\n",
            program, (unsigned long long)n, (unsigned long long)limit.rlim_max);
}

static void on_signal(int number)
{
    *stop_flag = number;
}

void stop_on_signals(volatile int *stopped)
{
    struct sigaction action = {.sa_handler = on_signal};
    stop_flag = stopped;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
