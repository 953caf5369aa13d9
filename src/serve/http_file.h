/* GET and HEAD of files: conditions, ranges, and the header fields that go with them (W1, W2). */
#pragma once

#include "serve/http.h"

/* Answers with the file of this name, or the boot configuration `format` of the machine `who` (who NULL: the
 * file). Also counts and tells what is refused. */
void http_answer_file(const struct http_server *server, const struct moment *now,
                      const struct http_request *request, const char *name, enum boot_format format,
                      const char *who, struct http_answer *ret_answer);

/* W2: by the ending of a file's name, else by what it is. Static text. */
const char *http_content_type(const struct file_answer *what);
