# Debian's cross compiler g++-aarch64-linux-gnu; what it builds runs here under qemu-user (`./run neon`).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

# Header-only packages (xsimd, FlatBuffers, doctest) are the build machine's: searched last, so that nothing of its own
# C library hides the target's.
set(CMAKE_CXX_FLAGS_INIT "-idirafter /usr/include")
# One file a program: qemu-user needs no folder of the target's libraries.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")

find_program(KINGLET_QEMU NAMES qemu-aarch64 qemu-aarch64-static REQUIRED)
set(CMAKE_CROSSCOMPILING_EMULATOR ${KINGLET_QEMU})
