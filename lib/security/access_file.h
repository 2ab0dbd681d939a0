/*
 * access_file.h - who may do what, as text:
 *
 *     # how        name      roles            by what
 *     token        alice     operator,viewer  sha256:…            (from `sagactl token new`)
 *     certificate  checkout  starter          checkout.shop.internal
 *
 * Why:        a file can be reviewed, deployed and reloaded like a certificate; there is no state to corrupt.
 * Format:     four words a line, separated by blanks; '#' begins a comment. A certificate is known by one of its subject
 *             alternative names (DNS name, URI, e-mail or IP address); its common name counts for nothing.
 * Not here:   reloading and asking (access.h).
 */
#ifndef LIB_SECURITY_ACCESS_FILE_H
#define LIB_SECURITY_ACCESS_FILE_H

#include <stdint.h>

#include "lib/base/problems.h"
#include "lib/security/role.h"
#include "lib/security/token.h"

enum { ACCESS_NAME_BYTES_MAX = 120 };

struct access_entry {
	const char *name;
	role_set roles;
	const char *certificate; /* a subject alternative name; NULL: `hash` is that of a token */
	uint8_t hash[TOKEN_HASH_BYTES];
};

struct access_file {
	struct arena arena;
	struct access_entry *entries;
	size_t count;
};

/* Every problem has its place, `file:line`; -1 when there is one. The file must not be writable by everyone. */
NODISCARD int access_file_read(const char *path, struct access_file **ret_file, struct problems *problems);
void access_file_free(struct access_file *file);

#endif
