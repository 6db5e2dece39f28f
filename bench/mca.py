#!/usr/bin/env python3
"""The kernels' inner loops under llvm-mca: cycles an iteration beside the limit of the CPU's own resources.

usage: mca.py BUILD [KERNELS_JSON CPU]      (./run bench mca)

BUILD: a build with g++ or clang++, in its folder; the loops are read from its objects as they are, so nothing marks
them in the sources. KERNELS_JSON: what `bench_kernels --benchmark_format=json` wrote on a machine whose CPU llvm-mca
calls CPU; a second table then sets what was measured beside that CPU's limit. Prints Markdown.

Of each kernel the innermost loop that takes most bytes a turn is looked at, of several the shortest: the one that
full-size layers and rows go through.
The limit is the larger of two: the busiest execution ports, instructions being spread over the ports that llvm-mca's
model of the CPU lets them go to as well as can be; and all micro-operations over what the CPU dispatches at a time.
Cycles beyond it are waits: for results, where there are too few independent sums, or for a port that was given too much.
Caches are none of llvm-mca's business: every load counts as a hit in the first level.
"""
import collections
import json
import os
import re
import shutil
import subprocess
import sys

LLVM_VERSIONS = range(22, 13, -1)
ITERATIONS = 1000
# CPUs by the object they can run, oldest first; those that this llvm-mca does not know are left out.
CPUS = {
    "avx2": ["haswell", "skylake", "znver3", "znver4"],
    "avx512": ["skylake-avx512", "icelake-server", "sapphirerapids", "znver4"],
    "avx512vnni": ["icelake-server", "sapphirerapids", "znver4"],
}
REGISTER_BYTES = {"x": 16, "y": 32, "z": 64}
BEYOND = 1.25  # of the limit: worth a look

# What a kernel's work is done by, and how many bytes of rows, weights or numbers one such instruction takes, as a
# share of its register's bytes. `function` is looked for in demangled names.
Kernel = collections.namedtuple("Kernel", "name function work share")
FMA = r"vfmadd\d+ps"
KERNELS = [
    Kernel("gemv_f32", r"gemv<float>", FMA, 1),
    Kernel("gemv_bf16", r"gemv<kinglet::kernels::Bf16>", FMA, 0.5),
    Kernel("gemv_f16", r"gemv<kinglet::kernels::F16>", FMA, 0.5),
    Kernel("gemv_s8", r"::gemv\(signed char", r"vpmaddwd|vpdpbusd", 0.5),
    Kernel("add_rows_f32", r"add_rows<float>", FMA, 1),
    Kernel("add_rows_bf16", r"add_rows<kinglet::kernels::Bf16>", FMA, 0.5),
    Kernel("add_rows_f16", r"add_rows<kinglet::kernels::F16>", FMA, 0.5),
    Kernel("add_rows_s16", r"add_rows_s16", r"vpmaddwd", 1),
    Kernel("add_rows_s8", r"::add_rows_short\(signed char", r"vpmaddubsw", 1),
    Kernel("add_columns_s8", r"::add_rows(_s8)?\(signed char", r"vpmaddwd|vpdpbusd", 0.5),
    Kernel("add_bundles_s8", r"::add_bundles(<signed char>)?\(signed char", r"vpmaddwd|vpdpbusd", 0.5),
    Kernel("add_bundles_s4", r"::add_bundles(_s4|<unsigned char>)\(unsigned char", r"vpmaddwd|vpdpbusd", 0.25),
    Kernel("add_rows_s4", r"::add_rows(_s4)?\(unsigned char", r"vpaddb", 0.5),
    Kernel("add_signs", r"::add_signs\(short", FMA, 0.25),
    Kernel("quantize, largest", r"quantize\(float", r"vmaxps", 1),
    Kernel("quantize, rounding", r"quantize\(float", r"vcvtps2dq", 1),
]


def output_of(command, text=None):
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


def find_tool():
    names = [os.environ.get("KINGLET_MCA"), *(f"llvm-mca-{version}" for version in LLVM_VERSIONS), "llvm-mca"]
    for name in filter(None, names):
        if shutil.which(name):
            return name
    sys.exit("no llvm-mca: install Debian's llvm-14 or a newer one")


def known_cpus(tool):
    help_text = subprocess.run([tool, "-mtriple=x86_64", "-mcpu=help"], input="", capture_output=True, text=True,
                               check=False)
    return set(re.findall(r"^\s*([\w-]+)\s+- Select", help_text.stderr + help_text.stdout, re.M))


Instruction = collections.namedtuple("Instruction", "address text")


def functions_of(path):
    """Demangled name -> instructions, in order."""
    functions = {}
    current = []
    for line in output_of(["objdump", "-d", "-C", "--no-show-raw-insn", path]).splitlines():
        if header := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            current = functions.setdefault(header[1], [])
        elif instruction := re.match(r"\s*([0-9a-f]+):\s+(.*)", line):
            current.append(Instruction(int(instruction[1], 16), instruction[2].split("#")[0].strip()))
    return functions


def innermost_loops(instructions):
    """Bodies between a jump back and its target that hold no other jump back. Jumps ahead count as not taken."""
    numbers = {instruction.address: number for number, instruction in enumerate(instructions)}
    loops = []
    for end, instruction in enumerate(instructions):
        jump = re.match(r"j\w+\s+([0-9a-f]+)\b", instruction.text)
        begin = numbers.get(int(jump[1], 16)) if jump else None
        if begin is not None and begin <= end and not any(begin <= other < end for other, _ in loops):
            loops.append((end, begin))
    return [instructions[begin:end + 1] for end, begin in loops]


def bytes_taken(kernel, body):
    total = 0
    for instruction in body:
        if re.match(kernel.work, instruction.text):
            total += REGISTER_BYTES[re.search(r"%([xyz])mm", instruction.text)[1]] * kernel.share
    return total


def hot_loop(kernel, functions):
    """Its body and the bytes that an iteration takes."""
    found = [(bytes_taken(kernel, body), body) for name, instructions in functions.items()
             if re.search(kernel.function, name) for body in innermost_loops(instructions)]
    taken, body = max(found, key=lambda loop: (loop[0], -len(loop[1])), default=(0, []))
    if taken == 0:
        sys.exit(f"{kernel.name}: no loop found")
    return body, taken


def assembly_of(body):
    lines = []
    for instruction in body:
        if not re.match(r"(data16|cs |nop|xchg\s+%ax,%ax)", instruction.text):
            lines.append(re.sub(r"^(j\w+)\s.*", r"\1 .Lsomewhere", instruction.text))
    return "\n".join(lines) + "\n"


def pressures_of(tool, cpu, assembly):
    """Ports' names, and each instruction's share of each port, from the tables of the CPU's model."""
    report = output_of([tool, "-mtriple=x86_64", f"-mcpu={cpu}", "-instruction-tables", "-instruction-info=0"], assembly)
    names = [match[1] for match in re.finditer(r"^\[[\d.]+\]\s+- (\S+)$", report, re.M)]
    rows = report.split("Resource pressure by instruction:")[1].strip().splitlines()[1:]
    shares = [[0.0 if field == "-" else float(field) for field in row.split()[:len(names)]] for row in rows]
    return names, shares


def memory_ports(tool, cpu):
    """The ports that plain loads and stores need."""
    _, shares = pressures_of(tool, cpu, "vmovaps (%rax), %ymm0\nvmovaps %ymm0, (%rax)\nmovq (%rax), %rbx\n")
    return {port for row in shares for port, share in enumerate(row) if share > 0}


def busiest_ports(names, shares):
    """The most cycles that any set of ports is needed for by instructions that can go nowhere else, and the set."""
    work = collections.Counter()
    for row in shares:
        ports = frozenset(port for port, share in enumerate(row) if share > 0)
        work[ports] += sum(row)
    unions = {frozenset()}
    for ports in work:
        unions |= {ports | other for other in unions}
    bound = lambda ports: sum(cycles for needed, cycles in work.items() if needed <= ports) / len(ports)
    best = max(filter(None, unions), key=lambda ports: (round(bound(ports), 2), -len(ports)))
    return bound(best), "+".join(sorted({re.sub(r"^(Zn\d|SKX|ICX|SKL|HW|SPR)", "", names[port]) for port in best}))


def port_limit(tool, cpu, assembly):
    """A memory operand's load goes its own way: loads and stores by themselves, the rest by itself."""
    names, shares = pressures_of(tool, cpu, assembly)
    memory = memory_ports(tool, cpu)
    apart = [[[share if (port in memory) == wanted else 0.0 for port, share in enumerate(row)] for row in shares]
             for wanted in (False, True)]
    return max(busiest_ports(names, [row for row in part if any(row)]) for part in apart)


Cost = collections.namedtuple("Cost", "cycles limit by")


def cost_of(tool, cpu, body):
    assembly = assembly_of(body)
    report = output_of([tool, "-mtriple=x86_64", f"-mcpu={cpu}", f"-iterations={ITERATIONS}"], assembly)
    numbers = {name: float(re.search(rf"^{name}:\s+([\d.]+)$", report, re.M)[1])
               for name in ("Total Cycles", "Total uOps", "Dispatch Width")}
    dispatch = numbers["Total uOps"] / ITERATIONS / numbers["Dispatch Width"]
    ports, which = port_limit(tool, cpu, assembly)
    cycles = numbers["Total Cycles"] / ITERATIONS
    return Cost(cycles, ports, which) if ports >= dispatch else Cost(cycles, dispatch, "dispatch")


def read_loops(build):
    """(instruction set, kernel) -> loop and bytes."""
    loops = {}
    for isa in CPUS:
        path = os.path.join(build, "kernels/CMakeFiles/kinglet_kernels.dir", f"{isa}.cpp.o")
        if not os.path.exists(path):
            sys.exit(f"{path}: not there; build the target kinglet_kernels on x86-64 first")
        functions = functions_of(path)
        for kernel in KERNELS:
            loops[isa, kernel.name] = hot_loop(kernel, functions)
    return loops


def print_costs(costs, loops):
    print("| kernel | instruction set | CPU | bytes an iteration | cycles | limit | set by | cycles / limit |"
          " bytes a cycle |")
    print("|---|---|---|---|---|---|---|---|---|")
    for (isa, name, cpu), cost in costs.items():
        taken = loops[isa, name][1]
        ratio = cost.cycles / cost.limit
        mark = "**" if ratio > BEYOND else ""
        print(f"| {name} | {isa} | {cpu} | {taken:.0f} | {cost.cycles:.1f} | {cost.limit:.1f} |"
              f" {cost.by} | {mark}{ratio:.2f}{mark} |"
              f" {taken / cost.cycles:.0f} |")


def print_measured(path, cpu, costs, loops):
    with open(path, encoding="utf-8") as file:
        benchmarks = json.load(file)["benchmarks"]
    ghz = next(benchmark["ghz"] for benchmark in benchmarks if "ghz" in benchmark)
    print(f"\nGB/s as measured at {ghz:.2f} GHz; the limit: {cpu}'s, of the loop, at that clock")
    print("\n| kernel | instruction set | MB | plain read | kernel | share | limit of the loop | kernel / limit |")
    print("|---|---|---|---|---|---|---|---|")
    for benchmark in benchmarks:
        name, shape, isa = (benchmark["name"].split("/") + ["", ""])[:3]
        if "kernel" not in benchmark:
            continue
        limit = "| |"
        if (isa, name, cpu) in costs:
            rate = loops[isa, name][1] / costs[isa, name, cpu].limit * ghz
            limit = f"| {rate:.0f} | {benchmark['kernel'] / rate:.0%} |"
        print(f"| {name} {shape} | {isa} | {benchmark['megabytes']:.1f} | {benchmark['read']:.0f} | {benchmark['kernel']:.0f} |"
              f" {benchmark['share']:.0%} {limit}")


def main():
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    tool = find_tool()
    known = known_cpus(tool)
    loops = read_loops(sys.argv[1])
    costs = {}
    for isa, cpus in CPUS.items():
        for kernel in KERNELS:
            for cpu in filter(known.__contains__, cpus):
                costs[isa, kernel.name, cpu] = cost_of(tool, cpu, loops[isa, kernel.name][0])
    print_costs(costs, loops)
    if len(sys.argv) == 4:
        print_measured(sys.argv[2], sys.argv[3], costs, loops)


if __name__ == "__main__":
    main()
