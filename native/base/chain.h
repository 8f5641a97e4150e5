// First in, first out, with the links in the elements: putting in and taking out allocate nothing,
// and so cannot fail.
#pragma once
#include <memory>
#include <utility>

namespace hs {

// T has a member `std::shared_ptr<T> next`, of which an element that lies in a chain is the owner.
// One chain at a time.
template <typename T>
class Chain {
 public:
  Chain() = default;
  ~Chain() {
    while (pop()) {
    }  // one by one: the links would destroy each other, as deep as the chain is long
  }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  bool empty() const { return first_ == nullptr; }

  void push(std::shared_ptr<T> element) noexcept {
    T* const last = element.get();
    (last_ ? last_->next : first_) = std::move(element);
    last_ = last;
  }

  std::shared_ptr<T> pop() noexcept {  // nullptr: empty
    std::shared_ptr<T> element = std::move(first_);
    if (element) first_ = std::move(element->next);
    if (!first_) last_ = nullptr;
    return element;
  }

  // Moves those for which which(element) is true to the end of `to`.
  template <typename Fn>
  void move_to(Chain& to, const Fn& which) {
    Chain all;
    swap(all);
    while (std::shared_ptr<T> element = all.pop()) {
      Chain& goes = which(element) ? to : *this;
      goes.push(std::move(element));
    }
  }

  void swap(Chain& other) noexcept {
    first_.swap(other.first_);
    std::swap(last_, other.last_);
  }

 private:
  std::shared_ptr<T> first_;
  T* last_ = nullptr;
};

}  // namespace hs
