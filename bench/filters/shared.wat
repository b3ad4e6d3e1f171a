;; shared: counts requests in shared data: reads the number under "requests", writes it back plus one
;; with compare-and-swap, again where somebody was faster. The first fifteen responses carry the count
;; as one hexadecimal digit in "x-count": a proof that costs nothing later.
(module
  (import "env" "proxy_get_shared_data"
    (func $shared (param $key i32) (param $length i32) (param $to i32) (param $to_size i32) (param $to_cas i32) (result i32)))
  (import "env" "proxy_set_shared_data"
    (func $set_shared (param $key i32) (param $length i32) (param $value i32) (param $value_length i32) (param $cas i32) (result i32)))
  (import "env" "proxy_add_header_map_value"
    (func $add_header (param $map i32) (param $name i32) (param $length i32) (param $value i32) (param $value_length i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0x00) "requests")
  (data (i32.const 0x10) "x-count")
  (data (i32.const 0x20) "0123456789abcdef")
  ;; 0x40, 0x44, 0x48: pointer, length and cas from the host. 0x50: the number. From 0x100: a value.
  (global $number (mut i64) (i64.const 0))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 0xff00)) (then unreachable))
    i32.const 0x100)
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32))
  (func (export "proxy_on_vm_start") (param $context i32) (param $size i32) (result i32)
    i32.const 1)
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    i32.const 1)

  ;; The number as it is now; 0 before the first request. 1: not found.
  (func $current (result i64) (local $status i32)
    (i32.store (i32.const 0x48) (i32.const 0))
    (local.set $status (call $shared
      (i32.const 0x00) (i32.const 8) (i32.const 0x40) (i32.const 0x44) (i32.const 0x48)))
    (if (i32.eq (local.get $status) (i32.const 1)) (then (return (i64.const 0))))
    (if (local.get $status) (then unreachable))
    (i64.load (i32.load (i32.const 0x40))))

  (func (export "proxy_on_request_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (local $status i32)
    (loop $again
      (i64.store (i32.const 0x50) (i64.add (call $current) (i64.const 1)))
      (local.set $status (call $set_shared
        (i32.const 0x00) (i32.const 8) (i32.const 0x50) (i32.const 8) (i32.load (i32.const 0x48))))
      ;; 8: somebody wrote in between.
      (br_if $again (i32.eq (local.get $status) (i32.const 8))))
    (if (local.get $status) (then unreachable))
    (global.set $number (i64.load (i32.const 0x50)))
    i32.const 0)

  (func (export "proxy_on_response_headers") (param $context i32) (param $count i32) (param $end i32) (result i32)
    (if (i64.gt_u (global.get $number) (i64.const 15)) (then (return (i32.const 0))))
    (if (call $add_header
          (i32.const 2) (i32.const 0x10) (i32.const 7)
          (i32.add (i32.const 0x20) (i32.wrap_i64 (global.get $number))) (i32.const 1))
      (then unreachable))
    i32.const 0))
