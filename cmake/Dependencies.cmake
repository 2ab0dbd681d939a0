# What Debian 12 provides; deploy/packages.txt names the packages.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(PG REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(KAFKA REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(PROTOBUF REQUIRED IMPORTED_TARGET protobuf)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_C protoc-c REQUIRED)

# gRPC's C core. The pkg-config file of libgrpc drags in the C++ parts, so the two libraries are named here;
# -DgRPC_ROOT=DIR takes a newer one from elsewhere.
find_library(GRPC_LIBRARY grpc HINTS ${gRPC_ROOT}/lib REQUIRED)
find_library(GPR_LIBRARY gpr HINTS ${gRPC_ROOT}/lib REQUIRED)
find_path(GRPC_INCLUDE grpc/grpc.h HINTS ${gRPC_ROOT}/include REQUIRED)
add_library(grpc_core INTERFACE)
target_link_libraries(grpc_core INTERFACE ${GRPC_LIBRARY} ${GPR_LIBRARY})
target_include_directories(grpc_core SYSTEM INTERFACE ${GRPC_INCLUDE})
