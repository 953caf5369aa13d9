/*
 * Children of process 1: starting them, waiting for them, reaping what nobody else waits for.
 *
 * process_setup() blocks the signals that process 1 acts on; process_wait() takes them one at a time, so that
 * no handler ever runs in the middle of something. A program started here begins with no signal blocked.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define PROCESS_FOREVER (-1)

/* Blocks SIGCHLD and the stop signals: SIGTERM, SIGINT, SIGUSR1, SIGUSR2. Call it once, first. */
void process_setup(void);

/* Unblocks what process_setup() blocked: for a child, or just before exec. */
void process_restore_signals(void);

/*
 * Starts argv[0], a path. With `console`, in a session of its own whose terminal is the console on descriptor
 * 0. Returns the child or -errno; that exec failed shows as exit status 127.
 */
pid_t process_start(char *const argv[], bool console);

/* Starts argv[0] with its standard output on the descriptor `output`. Returns the child or -errno. */
pid_t process_start_to(char *const argv[], int output);

/* Tells the shell on the console, if there is one, that its terminal is going: shells ignore SIGTERM. */
void process_hang_up_console(void);

/*
 * Waits up to `timeout_ms` for `pid` (0: nobody in particular) and reaps every other child meanwhile. Returns
 * 0 and the status of waitpid(2) when `pid` has ended, the number of a stop signal when one came, -ETIMEDOUT,
 * or -ECHILD when `pid` is 0 and no child is left and `until_none` asks for that.
 */
int process_wait(pid_t pid, int timeout_ms, bool until_none, int *ret_status);

/*
 * Runs argv[0] to its end, at most `timeout_ms`, then kills it. Stop signals that come meanwhile are kept for
 * later. Returns the exit status 0..255 (128 + signal when killed), -ETIMEDOUT, or another -errno.
 */
int process_run(char *const argv[], int timeout_ms);

/* An exit status of waitpid(2) as one number: 0..255, 128 + signal. */
int process_status(int status);
