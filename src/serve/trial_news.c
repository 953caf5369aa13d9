/* See serve/trial_news.h. */
#include "serve/trial_news.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct told *trial_news_add(struct trial_news *news, const struct moment *now, const struct trial_entry *e)
{
    struct told *told = calloc(1, sizeof(*told));
    if (!told)
        return NULL;
    told->at = *now;
    told->trial = e->trial;
    told->mac = e->trial.mac;
    memcpy(told->node, e->trial.node, sizeof(told->node));
    told->boot = e->trial.boot;
    *(news->first ? &news->last->next : &news->first) = told;
    news->last = told;
    return told;
}

struct told *trial_news_take(struct trial_news *news)
{
    struct told *told = news->first;
    if (told)
        news->first = told->next;
    return told;
}

/* `5 min`, `90 s`. */
static const char *span(uint32_t seconds, char buf[static 16])
{
    bool minutes = seconds % 60 == 0;
    snprintf(buf, 16, "%" PRIu32 " %s", minutes ? seconds / 60 : seconds, minutes ? "min" : "s");
    return buf;
}

void trial_news_note(struct told *told, const char *fmt, ...)
{
    va_list args;
    if (!told)
        return;
    va_start(args, fmt);
    vsnprintf(told->text, sizeof(told->text), fmt, args);
    va_end(args);
}

/* `n1`, or the address of a machine without an entry. */
static const char *who(const struct trial *t, char buf[static MAC_TEXT_MAX])
{
    return t->node[0] ? t->node : mac_format(&t->mac, buf);
}

static void note_failure(struct told *told, const struct trial_entry *e, enum trial_reason reason)
{
    const struct trial *t = &e->trial;
    char mac[MAC_TEXT_MAX], within[16];
    const char *name = who(t, mac);
    if (reason == TRIAL_ANOTHER_KERNEL)
        trial_news_note(
            told,
            "its new kernel did not come up on %s, where another one was chosen. %s gets what worked "
            "before it at its next boot",
            name, name);
    else if (reason == TRIAL_ANOTHER_BOOT)
        trial_news_note(
            told,
            "its new kernel did not come up on %s, which began another boot; last seen: %s. %s gets what "
            "worked before it",
            name, t->stage, name);
    else
        trial_news_note(
            told,
            "its new kernel did not come up on %s within %s; last seen: %s. %s gets what worked before it "
            "at its next boot",
            name, span(e->within_s, within), t->stage, name);
}

void trial_news_end(struct trial_news *news, const struct moment *now, const struct trial_entry *e,
                    enum trial_reason reason)
{
    struct told *told = trial_news_add(news, now, e);
    char mac[MAC_TEXT_MAX];
    if (e->trial.state == TRIAL_PROVEN)
        trial_news_note(
            told, "its new kernel came up on %s; every machine of the class gets it from its next boot on",
            who(&e->trial, mac));
    else if (e->trial.state == TRIAL_WITHDRAWN)
        trial_news_note(told,
                        "%s did not fetch its new kernel; the next machine of the class that boots tries it",
                        who(&e->trial, mac));
    else
        note_failure(told, e, reason);
}

void trial_news_begin(struct trial_news *news, const struct moment *now, const struct trial_entry *e)
{
    const struct trial *t = &e->trial;
    char mac[MAC_TEXT_MAX], hex[DIGEST_TEXT_MAX], within[16];
    trial_news_note(trial_news_add(news, now, e), "%s tries its new kernel %.12s, and has %s to ready",
                    who(t, mac), digest_format(&t->kernel, hex), span(e->within_s, within));
}
