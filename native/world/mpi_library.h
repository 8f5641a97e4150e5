// The few functions of MPI that are used, from whichever library is there: Open MPI, whose handles
// are pointers to objects it exports, or MPICH and its family (Intel MPI, MVAPICH, Cray), whose
// handles are numbers. Nothing of MPI is compiled in: a handle is as wide as a pointer here, which
// passes either kind in a register.
#pragma once
#include <cstdint>
#include <string>

namespace hs {

struct MpiLibrary {
  using Handle = uintptr_t;
  int (*Init_thread)(int*, char***, int wanted, int* provided);
  int (*Finalize)();
  int (*Comm_rank)(Handle comm, int*);
  int (*Comm_size)(Handle comm, int*);
  int (*Comm_set_errhandler)(Handle comm, Handle);
  int (*Get_library_version)(char*, int*);
  int (*Isend)(const void*, int n, Handle type, int to, int tag, Handle comm, Handle* request);
  int (*Irecv)(void*, int n, Handle type, int from, int tag, Handle comm, Handle* request);
  int (*Test)(Handle* request, int* done, void* status);
  int (*Abort)(Handle comm, int code);
  int (*Error_string)(int error, char*, int*);

  Handle world = 0, byte = 0, errors_return = 0;
  void* no_status = nullptr;
  std::string file;  // what was opened
};

// What has started this process beside others. size: how many; 0: it does not say.
struct Launcher {
  std::string name;  // "mpirun of Open MPI"
  enum class Family { kNone, kOpenMpi, kMpich, kUnknown } family = Family::kNone;
  int size = 0;
};
Launcher launcher();

// Opens the library: HIDDENSTATE_LIBMPI, or the names of the launcher's family. Throws
// Error(kOption) with the names tried.
MpiLibrary open_mpi(const Launcher&);

}  // namespace hs
