/* daemon/watch: an edit that waits for what it needs is published when that is built, whenever that is. */
#include "config_fixture.h"

#include "build/artifact.h"
#include "daemon/watch.h"

#include <unistd.h>

struct bed {
    struct folder *folder;
    uv_loop_t loop;
    uv_timer_t limit;
    struct watch *watch;
    char *state;
    unsigned attempts, asked;
    struct generation *generation;
};

/* In the first attempt nothing is built yet; while it looks the build ends, and the loop hears of it. */
static int find(void *user, const struct site *site, enum artifact_kind kind, const char *name,
                struct diags *diags, struct generation_artifact *ret_artifact)
{
    struct bed *bed = user;
    struct digest digest;
    (void)site;
    if (bed->asked++ == 0) {
        put(bed->state, "built/record", "what it was built to");
        usleep(3000 * WATCH_SETTLE_MS);
        return diag_error(diags, NULL, "kernel %s is not built", name);
    }
    cleanup_free char *store = xasprintf("%s/artifacts", bed->state);
    assert_int_equal(artifact_put_data(store, name, strlen(name), diags, &digest), 0);
    *ret_artifact = (struct generation_artifact){
        .kind = kind, .name = xstrdup(name), .digest = digest, .size = strlen(name)};
    return 0;
}

static void on_generation(void *user, struct generation *generation)
{
    struct bed *bed = user;
    bed->generation = generation;
}

static void on_attempt(void *user, int r, const struct diags *diags, bool repeated)
{
    struct bed *bed = user;
    (void)diags;
    (void)repeated;
    assert_int_equal(r < 0, bed->attempts == 0);
    bed->attempts++;
    if (bed->generation)
        uv_stop(&bed->loop);
}

static void on_limit(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void close_handle(uv_handle_t *handle, void *user)
{
    (void)user;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void what_is_built_during_an_attempt_counts(void **state)
{
    struct bed bed = {.folder = *state};
    cleanup_diags struct diags diags = {0};
    const struct artifact_source artifacts = {.find = find, .user = &bed};
    put(bed.folder->config, "rambox.yaml", GOOD);
    bed.state = xasprintf("%s/state", bed.folder->root);
    assert_int_equal(uv_loop_init(&bed.loop), 0);
    uv_timer_init(&bed.loop, &bed.limit);
    uv_timer_start(&bed.limit, on_limit, 90000, 0); /* of one that hangs */
    assert_int_equal(watch_new(&(struct watch_config){.loop = &bed.loop,
                                                      .config_dir = bed.folder->config,
                                                      .share_dir = bed.folder->share,
                                                      .state_dir = bed.state,
                                                      .artifacts = &artifacts,
                                                      .on_generation = on_generation,
                                                      .on_attempt = on_attempt,
                                                      .user = &bed},
                               0, &diags, &bed.watch),
                     0);
    watch_publish(bed.watch);
    uv_run(&bed.loop, UV_RUN_DEFAULT);
    assert_non_null(bed.generation);
    assert_int_equal(bed.generation->artifacts.n, 2);
    watch_free(bed.watch);
    uv_walk(&bed.loop, close_handle, NULL);
    uv_run(&bed.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bed.loop), 0);
    generation_unref(bed.generation);
    free(bed.state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_built_during_an_attempt_counts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
