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

const char *trial_state_words(enum trial_state state)
{
    static const char *const words[] = {
        [TRIAL_RUNNING] = "a machine is trying it",
        [TRIAL_PROVEN] = "it is proven, and every machine of the class gets it",
        [TRIAL_FAILED] = "it has failed",
        [TRIAL_WITHDRAWN] = "the next machine of the class that boots tries it"};
    return words[state];
}
