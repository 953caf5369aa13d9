/* See model/trial.h. */
#include "model/trial.h"

const char *trial_state_name(enum trial_state state)
{
    static const char *const names[] = {[TRIAL_RUNNING] = "trial",
                                        [TRIAL_PROVEN] = "proven",
                                        [TRIAL_FAILED] = "failed",
                                        [TRIAL_WITHDRAWN] = "withdrawn"};
    return names[state];
}
