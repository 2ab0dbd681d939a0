/* http_tls.c - see http_tls.h. */
#include "lib/http/http_tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

enum { NAME_BYTES_MAX = 1024 };

/* NULL: the connection is plain. */
static gnutls_session_t session_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info ? (gnutls_session_t)info->tls_session : NULL;
}

bool http_tls_is_verified(struct MHD_Connection *connection)
{
	gnutls_session_t session = session_of(connection);
	unsigned status = 1;

	return session && gnutls_certificate_verify_peers2(session, &status) == GNUTLS_E_SUCCESS && status == 0;
}

static void identify_by_names(gnutls_x509_crt_t certificate, struct access *access, struct identity *identity)
{
	for (unsigned i = 0;; i++) {
		char name[NAME_BYTES_MAX];
		size_t len = sizeof(name);
		int kind = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &len, NULL);

		if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return;
		if (kind >= 0 && access_by_certificate(access, (struct bytes){(const uint8_t *)name, len}, identity))
			return;
	}
}

void http_tls_identify(struct MHD_Connection *connection, struct access *access, struct identity *identity)
{
	gnutls_session_t session = session_of(connection);
	gnutls_x509_crt_t certificate;
	const gnutls_datum_t *chain;
	unsigned count = 0;

	if (!session || !http_tls_is_verified(connection))
		return;
	chain = gnutls_certificate_get_peers(session, &count);
	if (count == 0 || gnutls_x509_crt_init(&certificate) < 0)
		return;
	if (gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) >= 0)
		identify_by_names(certificate, access, identity);
	gnutls_x509_crt_deinit(certificate);
}
