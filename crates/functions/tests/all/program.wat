;; A program of WASI 0.2, as a component: prints what stands below, and says that it is content
;; (result 0) or not (result 1).
(component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error-type))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $out (sub resource)))
    (alias outer 1 $error-type (type $outer-error))
    (export "error" (type $inner-error (eq $outer-error)))
    (type $kinds (variant (case "last-operation-failed" (own $inner-error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $kinds)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8))
        (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-stream (type $outer-stream))
    (export "output-stream" (type $inner-stream (eq $outer-stream)))
    (export "get-stdout" (func (result (own $inner-stream))))))
  (core module $libc (memory (export "memory") 1))
  (core instance $libc (instantiate $libc))
  (core func $get (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory (core memory $libc "memory"))))
  (core module $main
    (import "" "memory" (memory 1))
    (import "" "get" (func $get (result i32)))
    (import "" "write" (func $write (param i32 i32 i32 i32)))
    (data (i32.const 0) "Content-Type: text/plain\0a\0aprinted")
    (func (export "run") (result i32)
      (call $write (call $get) (i32.const 0) (i32.const 33) (i32.const 64))
      (i32.const RESULT)))
  (core instance $main (instantiate $main (with "" (instance
    (export "memory" (memory $libc "memory"))
    (export "get" (func $get))
    (export "write" (func $write))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $it (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $it)))
