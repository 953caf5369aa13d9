/* libfyaml 0.7.12 loses the text of a long quoted scalar that is never closed
 * (corpus/config/long-unclosed-string). It is the library's own memory and bounded by the file's size, so the
 * leak checker is told not to mind; leaks of ours have no frame in that library and are still found. */
#pragma once

const char *__lsan_default_suppressions(void); // NOLINT(bugprone-reserved-identifier)

const char *__lsan_default_suppressions(void) // NOLINT(bugprone-reserved-identifier)
{
    return "leak:libfyaml.so\n";
}
