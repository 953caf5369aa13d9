/* A node's console in this terminal: `rambox try --shell`. */
#include "base/file.h"
#include "cli/try.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <termios.h>

#define LEAVE 0x1d /* Ctrl-] */

/* Every key goes to the node, also Ctrl-C. *ret_before is how the terminal was. */
static bool make_raw(struct termios *ret_before)
{
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, ret_before) < 0)
        return false;
    raw = *ret_before;
    cfmakeraw(&raw);
    return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* What was typed, to the node. False when the person leaves, or has no more to say. */
static bool take_keys(struct try_node *node)
{
    char keys[256];
    ssize_t n = read(STDIN_FILENO, keys, sizeof(keys) - 1);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n == 0)
        return false;
    char *leave = memchr(keys, LEAVE, (size_t)n);
    size_t size = leave ? (size_t)(leave - keys) : (size_t)n;
    return send(node->machine.serial, keys, size, MSG_NOSIGNAL) >= 0 && !leave;
}

/* Shows what the console said since `*shown`. */
static void show_new(const struct lab_console *console, uint64_t *shown)
{
    size_t from = *shown > console->dropped ? (size_t)(*shown - console->dropped) : 0;
    if (from < console->text.len)
        (void)write_all(STDOUT_FILENO, console->text.s + from, console->text.len - from);
    *shown = lab_console_end(console);
}

void try_shell(struct try *t, struct try_node *node)
{
    struct termios before;
    printf("\nThe console of %s. Ctrl-] leaves; the node is powered off then.\n", node->name);
    fflush(stdout);
    bool raw = make_raw(&before);
    uint64_t shown = lab_console_end(&node->machine.console);
    (void)lab_node_type(&node->machine, "\n"); /* a prompt */
    bool stay = true;
    while (stay && node->machine.power == LAB_POWER_ON && !t->stopped_by) {
        struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = node->machine.serial, .events = POLLIN}};
        (void)poll(fds, ARRAY_SIZE(fds), 200);
        if (fds[0].revents)
            stay = take_keys(node);
        try_pump(t, 0);
        show_new(&node->machine.console, &shown);
    }
    if (raw)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    printf("\n%s %s.\n", node->name, stay ? lab_power_text(node->machine.power) : "is left");
}
