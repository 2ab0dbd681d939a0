/*
 * certificates.h - a server's certificate, key and clients' authority from PEM files, replaced while it serves.
 *
 * Guarantees: what is in force was read as a whole and fits together: certificate and key are a pair. A reload that fails
 *             leaves the old ones in force.
 * Threads:    any thread takes a copy; certificates_reload() from any one thread.
 */
#ifndef LIB_SECURITY_CERTIFICATES_H
#define LIB_SECURITY_CERTIFICATES_H

#include <stdint.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"
#include "lib/base/problems.h"

struct certificates;

struct certificate_paths {       /* PEM files; all NULL: no TLS */
	const char *certificate; /* the server's, then what signed it */
	const char *key;         /* its private key, without a passphrase; not open to every user */
	const char
		*client_ca; /* who may sign clients' certificates, which are then required; NULL: none are asked for */
};

/* Texts of PEM, NUL-terminated. */
struct certificate_texts {
	char *certificate;
	char *key;
	char *client_ca; /* NULL: none */
};
void certificate_texts_release(struct certificate_texts *texts);

/* Adds all that is wrong, at places tls-cert, tls-key and tls-client-ca. */
void certificates_check(const struct certificate_paths *paths, struct problems *problems);

NODISCARD int certificates_new(const struct certificate_paths *paths, struct certificates **ret_certificates,
			       struct error *err);
NODISCARD int certificates_reload(struct certificates *certificates, struct error *err);
void certificates_free(struct certificates *certificates);
DEFINE_CLEANUP(struct certificates *, certificates_free)

bool certificates_have_client_ca(const struct certificates *certificates);
/* Counts the reloads, from 1: another number means other certificates. */
uint64_t certificates_generation(struct certificates *certificates);
/* Copies; the caller's to release. Returns their generation. */
uint64_t certificates_copy(struct certificates *certificates, struct certificate_texts *ret_texts);

#endif
