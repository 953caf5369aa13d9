/* Runs a fuzzer's entry point over every file of its corpus, a TAP line each, so that the corpus is part of
 * every test run. A crash or a sanitizer's report ends the program, which the test runner counts as a
 * failure. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    char **names = NULL;
    size_t n = 0;
    if (argc != 2 || dir_names(argv[1], NULL, &names) < 0 || !names[0]) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER (not empty)\n", argv[0]);
        return 2;
    }
    while (names[n])
        n++;
    printf("1..%zu\n", n);
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *path = xasprintf("%s/%s", argv[1], names[i]);
        cleanup_free char *data = NULL;
        size_t size;
        int r = file_read(path, 64 << 20, &data, &size);
        if (r == 0) {
            /* An exact-size copy, so that reading one byte too far is seen. */
            cleanup_free uint8_t *exact = xmalloc(size);
            memcpy(exact, data, size);
            LLVMFuzzerTestOneInput(exact, size);
        }
        printf("%s %zu - %s\n", r == 0 ? "ok" : "not ok", i + 1, names[i]);
        fflush(stdout);
    }
    names_free(names);
    return 0;
}
