/* Secure Boot: signing what firmware starts by itself, with the key and the certificate of `secure_boot:`
 * (sbsign of the package sbsigntool). Firmware that has the certificate enrolled starts these files, and
 * refuses them when a bit of them was changed.
 *
 * The key stays in its file: rambox reads it to see that it fits its certificate, and hands its name on.
 */
#pragma once

#include "build/artifact.h"
#include "build/env.h"
#include "model/site.h"

enum { SIGN_UNCHANGED = 1, SIGN_NOT_NEEDED = 2 };

/* Whether key and certificate can be used at `now` (Unix time, seconds): both are there, nobody else can read
 * the key, it is an RSA key without a password and the certificate's own, and the certificate has begun and
 * not ended. 0, also when `s` has no key; -EKEYREJECTED, -EACCES or -errno of a file, with diagnostics at the
 * place in the configuration. */
int sign_check(const struct secure_boot *s, int64_t now, struct diags *diags);

/* The same, and whether the program that signs is installed. 0, also when `s` has no key, or -errno. */
int sign_ready(const struct secure_boot *s, const struct build_env *env);

/* Adds who signs to a cache key: the certificate as it is. Nothing without a key. 0 or -errno with a
 * diagnostic. */
int sign_hash(const struct secure_boot *s, const struct build_env *env, struct hash *hash);
/* The same for a definition's key: the files by their names, and the certificate by how it looks, when it
 * lies in the configuration folder (build/stamp.h). */
void sign_hash_definition(const struct secure_boot *s, const struct build_env *env, struct hash *hash);

/* Signs the file `from` into `to`. `label` begins the messages. 0 or -errno with diagnostics. */
int sign_file(const struct secure_boot *s, const struct build_env *env, const char *label, const char *from,
              const char *to);

/* Signs an artifact into another one, or finds it signed. 0: signed now; SIGN_UNCHANGED: it was signed
 * before; SIGN_NOT_NEEDED: `s` has no key, the artifact is no program that firmware starts, or somebody has
 * signed it already (a distribution's kernel stays what it is); then *ret_signed is `what`. -errno with
 * diagnostics, also when the artifact cannot be read; with env->only_cached, -ENOENT without one when it is
 * not signed yet. */
int sign_artifact(const struct secure_boot *s, const struct build_env *env, const struct built *what,
                  struct built *ret_signed);
