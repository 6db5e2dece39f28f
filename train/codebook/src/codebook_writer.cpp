#include "kinglet/codebook/codebook_writer.h"

#include <string>

#include "kinglet/formats/file.h"

namespace kinglet::codebook {

void write_codebook(const std::filesystem::path& path, std::span<const uint32_t> ids,
                    std::span<const uint32_t> codes) {
  formats::AtomicFile file(path);
  const size_t depth = ids.empty() ? 0 : codes.size() / ids.size();
  std::string line = "{";
  for (size_t token = 0; token < ids.size(); ++token) {
    line += (token == 0 ? "\n\"" : ",\n\"") + std::to_string(ids[token]) + "\": [";
    for (size_t d = 0; d < depth; ++d)
      line += (d == 0 ? "" : ", ") + std::to_string(codes[token * depth + d]);
    line += ']';
    file.write(line);
    line.clear();
  }
  line += ids.empty() ? "}\n" : "\n}\n";
  file.write(line);
  file.commit();
}

}  // namespace kinglet::codebook
