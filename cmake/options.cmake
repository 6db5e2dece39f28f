# Compiler settings that every target of the project shares, through kinglet::options.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

# Presets that build everything at once compile a library's files some at a time (CMAKE_UNITY_BUILD): most of them are
# short beside their headers. So few at a time that both of two cores have work; a changed file costs the others again.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 7)

find_program(KINGLET_CCACHE ccache)
if(KINGLET_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${KINGLET_CCACHE}")
endif()

add_library(kinglet_options INTERFACE)
add_library(kinglet::options ALIAS kinglet_options)
target_compile_features(kinglet_options INTERFACE cxx_std_20)
# Contraction of a*b+c is the compiler's choice and would change bits between builds: fusing is always explicit.
# errno and trapping are given up so that sqrt and comparisons compile to one instruction; neither changes a bit.
target_compile_options(kinglet_options INTERFACE
  -ffp-contract=off -fno-math-errno -fno-trapping-math
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wcast-align -Woverloaded-virtual
  # g++ 12 reports string concatenation as overlapping copies (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # Compiled together, every source is an included file, and g++ takes its unnamed namespace for a header's.
  $<$<AND:$<BOOL:${CMAKE_UNITY_BUILD}>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>)
if(KINGLET_WERROR)
  target_compile_options(kinglet_options INTERFACE -Werror)
endif()
if(KINGLET_SANITIZE)
  target_compile_options(kinglet_options INTERFACE
    -fsanitize=${KINGLET_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g1
    # g++ 12 is wrong about std::optional where it instruments.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(kinglet_options INTERFACE -fsanitize=${KINGLET_SANITIZE})
endif()

# For what parses, prints and tests: the compiler works on it for longer than it runs. clang++ needs half the time for
# instrumented code that it does not optimise; g++ without sanitizers gains nothing below -O1.
if(KINGLET_SANITIZE)
  set(KINGLET_QUICK_COMPILE -O0)
else()
  set(KINGLET_QUICK_COMPILE -O1)
endif()

# kinglet_library(NAME SOURCES... ) declares libkinglet_NAME with the alias kinglet::NAME and its public headers in include/.
function(kinglet_library name)
  add_library(kinglet_${name} STATIC ${ARGN})
  add_library(kinglet::${name} ALIAS kinglet_${name})
  target_include_directories(kinglet_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
                                             PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(kinglet_${name} PRIVATE kinglet::options)
endfunction()
