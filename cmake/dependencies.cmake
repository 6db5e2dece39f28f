# Every outside package, found once. The engine sees only header-only ones: FlatBuffers, xsimd, xxHash.

if(NOT KINGLET_ENGINE_ONLY)
  find_package(PkgConfig REQUIRED)
  find_package(ZLIB REQUIRED)
  find_package(fmt REQUIRED)
  find_package(nlohmann_json REQUIRED)
  find_package(CLI11 REQUIRED)
  find_package(Eigen3 REQUIRED)
endif()
find_package(tsl-robin-map REQUIRED)
find_program(KINGLET_FLATC flatc REQUIRED)
find_path(KINGLET_FLATBUFFERS_INCLUDE flatbuffers/flatbuffers.h REQUIRED)
find_path(KINGLET_XXHASH_INCLUDE xxhash.h REQUIRED)
find_path(KINGLET_XSIMD_INCLUDE xsimd/xsimd.hpp REQUIRED)

# xxHash inlined, so that nothing links to libxxhash.
add_library(kinglet_xxhash INTERFACE)
add_library(kinglet::xxhash ALIAS kinglet_xxhash)
target_include_directories(kinglet_xxhash SYSTEM INTERFACE ${KINGLET_XXHASH_INCLUDE})
target_compile_definitions(kinglet_xxhash INTERFACE XXH_INLINE_ALL)

add_library(kinglet_flatbuffers INTERFACE)
add_library(kinglet::flatbuffers ALIAS kinglet_flatbuffers)
target_include_directories(kinglet_flatbuffers SYSTEM INTERFACE ${KINGLET_FLATBUFFERS_INCLUDE})

# Not Debian's CMake target, which asks for a library (xtl) that headers alone do not need.
add_library(kinglet_xsimd INTERFACE)
add_library(kinglet::xsimd ALIAS kinglet_xsimd)
target_include_directories(kinglet_xsimd SYSTEM INTERFACE ${KINGLET_XSIMD_INCLUDE})

