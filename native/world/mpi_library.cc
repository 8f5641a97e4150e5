#include "world/mpi_library.h"

#include <cstdlib>
#include <vector>

#include "base/error.h"

#if !defined(_WIN32)
#include <dlfcn.h>
#endif

namespace hs {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

int number(const char* name) { return std::atoi(variable(name).c_str()); }

}  // namespace

Launcher launcher() {
  using Family = Launcher::Family;
  if (!variable("OMPI_COMM_WORLD_SIZE").empty())
    return {"mpirun of Open MPI", Family::kOpenMpi, number("OMPI_COMM_WORLD_SIZE")};
  // srun sets PMI_SIZE or PMIX_RANK as its --mpi says; a batch script itself has neither.
  if (!variable("PMI_RANK").empty())
    return {"a launcher of MPICH's family", Family::kMpich, number("PMI_SIZE")};
  if (!variable("PMIX_RANK").empty())
    return {"a launcher with PMIx", Family::kUnknown, number("SLURM_NTASKS")};
  return {};
}

#if defined(_WIN32)

MpiLibrary open_mpi(const Launcher&) {
  throw Error(Code::kOption, "distribute", "several ranks need Linux or macOS.");
}

#else

MpiLibrary open_mpi(const Launcher& by) {
#if defined(__APPLE__)
  const std::vector<std::string> open_mpi = {"libmpi.40.dylib", "libmpi.dylib"},
                                 mpich = {"libmpi.12.dylib", "libmpich.12.dylib"};
#else
  const std::vector<std::string> open_mpi = {"libmpi.so.40", "libmpi.so.80", "libmpi.so"},
                                 mpich = {"libmpi.so.12", "libmpich.so.12", "libmpi_cray.so.12",
                                          "libmpich.so"};
#endif
  std::vector<std::string> names = {variable("HIDDENSTATE_LIBMPI")};
  if (names[0].empty()) {
    names = by.family == Launcher::Family::kMpich ? mpich : open_mpi;
    if (by.family == Launcher::Family::kUnknown)
      names.insert(names.end(), mpich.begin(), mpich.end());
  }
  // RTLD_GLOBAL: Open MPI's own plugins look for its symbols there.
  MpiLibrary mpi;
  void* library = nullptr;
  std::string tried;
  for (const std::string& name : names) {
    if ((library = dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL))) {
      mpi.file = name;
      break;
    }
    const char* const why = dlerror();
    const bool missing = !why || std::string(why).find("No such file") != std::string::npos;
    tried += (tried.empty() ? "" : ", ") + name + (missing ? "" : std::string(" (") + why + ")");
  }
  if (!library) {
    fail(Code::kOption, "distribute", "the MPI library of " + by.name, "installed",
         "none: tried " + tried,
         "Install it (Debian: openmpi-bin, or mpich), or name its file in HIDDENSTATE_LIBMPI.");
  }
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)> >(dlsym(library, name));
    if (!function)
      fail(Code::kOption, "distribute", mpi.file, "an MPI library",
           "one without " + std::string(name));
  };
  find(mpi.Init_thread, "MPI_Init_thread");
  find(mpi.Finalize, "MPI_Finalize");
  find(mpi.Comm_rank, "MPI_Comm_rank");
  find(mpi.Comm_size, "MPI_Comm_size");
  find(mpi.Comm_set_errhandler, "MPI_Comm_set_errhandler");
  find(mpi.Get_library_version, "MPI_Get_library_version");
  find(mpi.Isend, "MPI_Isend");
  find(mpi.Irecv, "MPI_Irecv");
  find(mpi.Test, "MPI_Test");
  find(mpi.Abort, "MPI_Abort");
  find(mpi.Error_string, "MPI_Error_string");
  const auto object = [&](const char* name) {
    return reinterpret_cast<MpiLibrary::Handle>(dlsym(library, name));
  };
  if (object("ompi_mpi_comm_world")) {
    mpi.world = object("ompi_mpi_comm_world");
    mpi.byte = object("ompi_mpi_byte");
    mpi.errors_return = object("ompi_mpi_errors_return");
    mpi.no_status = nullptr;
  } else {  // the MPICH ABI Compatibility Initiative
    mpi.world = 0x44000000;
    mpi.byte = 0x4c00010d;
    mpi.errors_return = 0x54000001;
    mpi.no_status = reinterpret_cast<void*>(1);
  }
  return mpi;
}

#endif

}  // namespace hs
