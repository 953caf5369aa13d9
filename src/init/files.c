/* Small files; the contract is in files.h. */
#include "init/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

long files_read(const char *path, char *buffer, size_t size)
{
    size_t used = 0;
    ssize_t n = 0;

    buffer[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (used < size - 1) {
        n = read(fd, buffer + used, size - 1 - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    int error = errno;
    close(fd);
    if (n < 0)
        used = 0;
    buffer[used] = '\0';
    return n < 0 ? -error : (long)used;
}

static int write_whole(const char *path, const char *text, int flags)
{
    int r = 0;
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);

    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) < 0)
        r = -errno;
    close(fd);
    return r;
}

int files_write(const char *path, const char *text)
{
    return write_whole(path, text, 0);
}

int files_create(const char *path, const char *text)
{
    return write_whole(path, text, O_CREAT | O_TRUNC);
}

int files_executable(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EACCES;
    /* access(2) lets root execute only what has an x bit at all, which is the question. */
    return access(path, X_OK) < 0 ? -errno : 0;
}
