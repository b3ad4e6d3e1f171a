;; `count` counts its calls in the map `counters`; `greet` stores a greeting in the default map, as
;; modules of the first draft do.
(module
  (import "wasi_map_v1" "open"
    (func $open (param i32 i32 i64 i32) (result i32)))
  (import "wasi_map_v1" "increment"
    (func $increment (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_map" "wasi_map_open" (func $draft_open (result i32)))
  (import "wasi_map" "wasi_map_set"
    (func $draft_set (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 0) "counters")
  (data (i32.const 16) "calls")
  (data (i32.const 32) "greeting")
  (data (i32.const 48) "hello")

  ;; Adds one to `calls`. Answers the error's number, and the new count.
  (func (export "count") (result i32 i64) (local $code i32)
    (local.set $code
      (call $open
        (i32.const 0) (i32.const 8)    ;; the name
        (i64.const 2)                  ;; WRITE
        (i32.const 64)))               ;; where the handle goes
    (if (i32.eqz (local.get $code))
      (then
        (local.set $code
          (call $increment
            (i32.load (i32.const 64))
            (i32.const 16) (i32.const 5)
            (i64.const 1)
            (i32.const 72)))))         ;; where the sum goes
    (local.get $code)
    (i64.load (i32.const 72)))

  ;; The first draft's way: no name, and a handle as the answer.
  (func (export "greet") (result i32) (local $map i32)
    (local.set $map (call $draft_open))
    (if (i32.eqz (local.get $map)) (then (return (i32.const 44))))
    (call $draft_set (local.get $map)
      (i32.const 32) (i32.const 8)
      (i32.const 48) (i32.const 5))))
