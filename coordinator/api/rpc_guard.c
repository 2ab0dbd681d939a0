/* rpc_guard.c - see rpc_guard.h. */
#include "coordinator/api/rpc_guard.h"

#include "coordinator/api/method_role.h"
#include "lib/base/log.h"

static struct bytes bytes_of_slice(const grpc_slice *slice)
{
	return (struct bytes){GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice)};
}

/* The first of the certificate's subject alternative names that somebody has. */
static void identify_by_certificate(struct access *access, grpc_call *call, struct identity *caller)
{
	grpc_auth_context *context = grpc_call_auth_context(call);
	grpc_auth_property_iterator names =
		grpc_auth_context_find_properties_by_name(context, GRPC_X509_SAN_PROPERTY_NAME);
	const grpc_auth_property *name;

	while ((name = grpc_auth_property_iterator_next(&names))) {
		if (access_by_certificate(access, (struct bytes){(const uint8_t *)name->value, name->value_length},
					  caller))
			break;
	}
	grpc_auth_context_release(context);
}

/* False: there is an `authorization` header, and nobody has that token. */
static bool identify_by_header(struct access *access, const grpc_metadata_array *metadata, struct identity *caller)
{
	for (size_t i = 0; i < metadata->count; i++) {
		if (grpc_slice_str_cmp(metadata->metadata[i].key, "authorization") == 0)
			return access_by_header(access, bytes_of_slice(&metadata->metadata[i].value), caller);
	}
	return true;
}

static int identify(const struct rpc_server *server, const struct rpc_arrival *arrival, struct identity *ret_caller,
		    struct error *err)
{
	access_begin(server->access, ret_caller);
	if (server->certificates)
		identify_by_certificate(server->access, arrival->call, ret_caller);
	if (identify_by_header(server->access, &arrival->metadata, ret_caller))
		return 0;
	return error_set(err, ERR_UNAUTHENTICATED, "the credential in `authorization` is not known here");
}

int rpc_guard_admit(const struct rpc_registered *method, const struct rpc_arrival *arrival, struct identity *ret_caller,
		    const char **ret_reason, struct error *err)
{
	const char *path = method->method.path;
	enum role needed;

	*ret_reason = NULL;
	if (rpc_arrival_metadata_bytes(arrival) > RPC_METADATA_BYTES_MAX) {
		*ret_reason = "METADATA_TOO_LARGE";
		return error_set(err, ERR_LIMIT, "the call's metadata exceeds %d bytes", RPC_METADATA_BYTES_MAX);
	}
	if (!method_role(path, &needed)) {
		*ret_reason = "METHOD_WITHOUT_ROLE";
		return error_set(err, ERR_DENIED, "no role may call %s", path);
	}
	if (needed == ROLE_ANYBODY) {
		access_begin(method->server->access, ret_caller);
		return 0;
	}
	if (identify(method->server, arrival, ret_caller, err) < 0 || access_check(ret_caller, needed, err) < 0) {
		*ret_reason = err->code == ERR_DENIED ? "ROLE_MISSING" : "CREDENTIAL_MISSING";
		return -1;
	}
	if (method_is_audited(needed))
		log_info("call_audited", "who=%s role=%s method=%s", LOG_TEXT(ret_caller->name), role_name(needed),
			 path);
	return 0;
}

/* ---- TLS ---- */

/* gRPC asks at each new connection. */
static grpc_ssl_certificate_config_reload_status fetch(void *ctx, grpc_ssl_server_certificate_config **ret_config)
{
	struct rpc_server *server = ctx;
	struct certificate_texts texts;
	grpc_ssl_pem_key_cert_pair pair;

	if (certificates_generation(server->certificates) == atomic_load(&server->served_certificates))
		return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
	atomic_store(&server->served_certificates, certificates_copy(server->certificates, &texts));
	pair = (grpc_ssl_pem_key_cert_pair){.private_key = texts.key, .cert_chain = texts.certificate};
	/* gRPC insists on an authority at a reload, also where no client is asked for a certificate; any will do then. */
	*ret_config = grpc_ssl_server_certificate_config_create(texts.client_ca ? texts.client_ca : texts.certificate,
								&pair, 1);
	certificate_texts_release(&texts);
	return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

grpc_server_credentials *rpc_guard_credentials(struct rpc_server *server)
{
	grpc_ssl_client_certificate_request_type request = GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;

	if (!server->certificates)
		return grpc_insecure_server_credentials_create();
	if (certificates_have_client_ca(server->certificates))
		request = GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
	return grpc_ssl_server_credentials_create_with_options(
		grpc_ssl_server_credentials_create_options_using_config_fetcher(request, fetch, server));
}
