/* Questions of other threads to the loop's thread: a function is run there, and who asked waits until it has.
 * For what is rare; the loop answers all that wait in one turn. */
#pragma once

#include <stdbool.h>
#include <uv.h>

struct loop_caller;

/* Loop's thread. 0 or -errno. */
int loop_caller_new(uv_loop_t *loop, struct loop_caller **ret_caller);
/* Loop's thread: who waits hears that nothing comes, and so does whoever asks from now on. To be called
 * before the threads that ask are ended; loop_caller_free after that. NULL is allowed. */
void loop_caller_close(struct loop_caller *caller);
void loop_caller_free(struct loop_caller *caller);

/* Another thread. False: the loop had no time for it within LOOP_CALL_MS, or ends; then `run` is not and will
 * not be called. */
enum { LOOP_CALL_MS = 1000 };
bool loop_call(struct loop_caller *caller, void (*run)(void *argument), void *argument);
