// --format=elf: table and code linked into one image that needs no relocation, and the weights behind it.
#include "compiler/Emit/Finish.h"
#include "compiler/Emit/Formats.h"
#include "compiler/Emit/Link.h"
#include "compiler/Emit/Table.h"

using namespace llvm;

namespace crosscut {

Expected<std::vector<OutputFile>> elfFiles(CompiledProgram &compiled, StringRef path) {
  const Program &program = compiled.program;
  TableImage table = buildTable(program, compiled.spec);
  std::unique_ptr<Module> tableModule =
      buildTableModule(table, program, compiled.spec, compiled.layout, compiled.context);
  Expected<Object> tableObject = compileData(*tableModule, compiled.spec);
  if (!tableObject) return tableObject.takeError();
  compiled.objects.insert(compiled.objects.begin(), std::move(*tableObject));
  Expected<Object> image = linkModule(compiled.objects, compiled.spec, compiled.options.debugSymbols);
  if (!image) return image.takeError();
  Expected<uint64_t> weightsAt = finishModule(*image, table, compiled.stackBytes, program, compiled.spec);
  if (!weightsAt) return weightsAt.takeError();
  return std::vector<OutputFile>{
      {path.str(), [image = std::move(*image), weightsAt = *weightsAt, &program](raw_ostream &out) {
         out.write(image.data(), image.size());
         if (!weightsAt) return;
         out.write_zeros(weightsAt - image.size());
         out.write(reinterpret_cast<const char *>(program.weights.data()), program.weights.size());
       }}};
}

}  // namespace crosscut
