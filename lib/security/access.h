/*
 * access.h - asks who a caller is, by token or certificate, and whether that is enough.
 *
 * Guarantees: without an access file everybody is `anonymous` with all roles: whoever reaches the address is trusted,
 *             which the rule of listen_rule.h keeps to loopback. With one, what is not given is refused.
 * Threads:    any thread may ask; access_reload() from any one thread.
 */
#ifndef LIB_SECURITY_ACCESS_H
#define LIB_SECURITY_ACCESS_H

#include "lib/base/bytes.h"
#include "lib/base/memory.h"
#include "lib/security/access_file.h"

struct access;

/* Who calls. */
struct identity {
	char name[ACCESS_NAME_BYTES_MAX + 1]; /* "anonymous" where nobody is known */
	role_set roles;
	bool is_known;
};

/* `path` may be NULL: no access file. */
NODISCARD int access_new(const char *path, struct access **ret_access, struct error *err);
NODISCARD int access_reload(struct access *access, struct error *err); /* on failure what was there stays in force */
void access_free(struct access *access);
DEFINE_CLEANUP(struct access *, access_free)

/* Nobody yet: anonymous, with all roles where there is no file, else with none. */
void access_begin(struct access *access, struct identity *ret_identity);
/* Each adds what it finds; a token goes over a certificate. False: there was something that nobody has. */
bool access_by_token(struct access *access, struct bytes token, struct identity *identity);
bool access_by_certificate(struct access *access, struct bytes alternative_name, struct identity *identity);
/* The value of an `authorization` header: `Bearer TOKEN`, or `Basic` with the token as the password. */
bool access_by_header(struct access *access, struct bytes header, struct identity *identity);

/* ERR_UNAUTHENTICATED or ERR_DENIED, the latter with the role that is missing; 0: go on. */
NODISCARD int access_check(const struct identity *identity, enum role needed, struct error *err);

#endif
