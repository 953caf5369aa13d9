/* See lab/console.h. */
#include "lab/console.h"

void lab_console_add(struct lab_console *console, const void *data, size_t size)
{
    str_add_n(&console->text, data, size);
    if (console->text.len <= 2 * LAB_CONSOLE_KEEP)
        return;
    size_t drop = console->text.len - LAB_CONSOLE_KEEP;
    memmove(console->text.s, console->text.s + drop, LAB_CONSOLE_KEEP + 1);
    console->text.len -= drop;
    console->dropped += drop;
}

uint64_t lab_console_end(const struct lab_console *console)
{
    return console->dropped + console->text.len;
}

bool lab_console_said(const struct lab_console *console, uint64_t from, const char *needle)
{
    size_t start = from > console->dropped ? (size_t)(from - console->dropped) : 0;
    return start < console->text.len &&
           memmem(console->text.s + start, console->text.len - start, needle, strlen(needle));
}

/* Behind a terminal's escape sequence that begins at `at`: ESC [ ... final byte, or ESC and one character. */
static size_t behind_escape(const char *s, size_t size, size_t at)
{
    if (at + 1 >= size)
        return size;
    if (s[at + 1] != '[')
        return at + 2;
    for (at += 2; at < size && (s[at] < 0x40 || s[at] > 0x7e);)
        at++;
    return at < size ? at + 1 : size;
}

/* The text without control sequences and lines of nothing. Of a line that was written over, from a carriage
 * return on, the last is kept. */
static void add_plain(struct str *out, const char *s, size_t size)
{
    size_t line = 0; /* where the current line begins in out */
    bool seen = false;
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)s[i];
        if (c == 0x1b) {
            i = behind_escape(s, size, i);
            continue;
        }
        i++;
        if (c == '\n' && seen) {
            str_add_n(out, "\n", 1);
            line = out->len;
            seen = false;
        } else if (c == '\n') {
            out->len = line;
        } else if (c == '\r' && i < size && s[i] != '\n' && s[i] != '\r') {
            out->len = line;
            seen = false;
        } else if (c == '\t' || (c >= ' ' && c != 0x7f)) {
            str_add_n(out, c == '\t' ? " " : (const char *)&c, 1);
            seen |= c != ' ' && c != '\t';
        }
    }
    if (!seen)
        out->len = line;
    if (out->s)
        out->s[out->len] = '\0';
}

char *lab_console_tail(const struct lab_console *console, unsigned lines)
{
    cleanup_str struct str plain = {0};
    add_plain(&plain, str_text(&console->text), console->text.len);
    size_t at = plain.len;
    if (at && plain.s[at - 1] == '\n')
        at--;
    for (; at > 0; at--)
        if (plain.s[at - 1] == '\n' && --lines == 0)
            break;
    return xstrdup(str_text(&plain) + at);
}

void lab_console_free(struct lab_console *console)
{
    str_free(&console->text);
    console->dropped = 0;
}
