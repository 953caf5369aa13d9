/* Walks a folder and prints what is in it, one line a name, in the way of `rambox image show --files` and
 * with a checksum of the content behind it: type and permissions, links, owner, size or device, name, target,
 * FNV-1a of the content. As process 1 it walks its root, prints the lines between two marks, and switches the
 * machine off. Static, without anything from rambox, so that it shares no mistake with it. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void print_name(const char *name)
{
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        if (c <= ' ' || c == '\\' || c >= 0x7f)
            printf("\\%03o", c);
        else
            putchar(c);
    }
}

static void print_mode(mode_t mode)
{
    char text[11] = "----------";
    text[0] = S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : S_ISCHR(mode) ? 'c' : S_ISBLK(mode) ? 'b' : '-';
    if (S_ISFIFO(mode))
        text[0] = 'p';
    for (int i = 0; i < 9; i++)
        if (mode & (0400 >> i))
            text[1 + i] = "rwx"[i % 3];
    if (mode & S_ISUID)
        text[3] = mode & 0100 ? 's' : 'S';
    if (mode & S_ISGID)
        text[6] = mode & 0010 ? 's' : 'S';
    if (mode & S_ISVTX)
        text[9] = mode & 0001 ? 't' : 'T';
    fputs(text, stdout);
}

static uint64_t checksum(int dir, const char *name)
{
    static unsigned char buffer[65536];
    uint64_t sum = 0xcbf29ce484222325;
    ssize_t n;
    int fd = openat(dir, name, O_RDONLY);
    if (fd < 0)
        return 0;
    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        for (ssize_t i = 0; i < n; i++)
            sum = (sum ^ buffer[i]) * 0x100000001b3;
    close(fd);
    return sum;
}

static void print_entry(int dir, const char *name, const char *path, const struct stat *st)
{
    char target[PATH_MAX] = "";
    print_mode(st->st_mode);
    printf(" %u %u:%u ", S_ISDIR(st->st_mode) ? 1 : (unsigned)st->st_nlink, st->st_uid, st->st_gid);
    if (S_ISREG(st->st_mode))
        printf("%llu ", (unsigned long long)st->st_size);
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
        printf("%u, %u ", major(st->st_rdev), minor(st->st_rdev));
    print_name(path);
    if (S_ISLNK(st->st_mode) && readlinkat(dir, name, target, sizeof(target) - 1) > 0) {
        fputs(" -> ", stdout);
        print_name(target);
    }
    if (S_ISREG(st->st_mode))
        printf(" #%016llx", (unsigned long long)checksum(dir, name));
    putchar('\n');
}

/* Walks by descriptors, since names may be as long as PATH_MAX. */
static void walk(int dir, const char *name, const char *path)
{
    struct stat st;
    struct dirent **list;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    print_entry(dir, name, *path ? path : "/", &st);
    if (!S_ISDIR(st.st_mode))
        return;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0 || fchdir(fd) < 0)
        return;
    int n = scandir(".", &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *entry = list[i]->d_name;
        char *below = malloc(strlen(path) + strlen(entry) + 2);
        if (below && strcmp(entry, ".") != 0 && strcmp(entry, "..") != 0) {
            strcpy(below, path);
            strcat(below, "/");
            strcat(below, entry);
            walk(fd, entry, below);
        }
        free(below);
        free(list[i]);
    }
    free(list);
    close(fd);
}

int main(int argc, char **argv)
{
    static char out[1 << 16];
    setvbuf(stdout, out, _IOFBF, sizeof(out));
    if (getpid() == 1)
        puts("MANIFEST BEGINS");
    walk(AT_FDCWD, argc > 1 ? argv[1] : "/", "");
    if (getpid() != 1)
        return 0;
    puts("MANIFEST ENDS");
    fflush(stdout);
    reboot(RB_AUTOBOOT);
    return 0;
}
