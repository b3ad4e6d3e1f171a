package main

import gen "sample/gen"

type served struct{}

func (served) GetUser(request gen.GetUserRequest) (gen.GetUserResponse, error) {
	return gen.GetUserResponse{User: &gen.User{Name: "Ann", Id: request.Id}}, nil
}

func (served) PutUser(gen.User) (gen.GetUserResponse, error) {
	return gen.GetUserResponse{}, gen.WeirErrAgain
}

func maps() {
	client := gen.UserServiceClient{By: func(path string, request []byte) ([]byte, error) {
		return gen.DispatchUserService(served{}, path, request)
	}}
	found, err := client.GetUser(gen.GetUserRequest{Case: gen.GetUserRequestId, Id: 9})
	check(err == nil && found.User.Name == "Ann" && found.User.Id == 9, "the service answers")
	_, err = client.PutUser(gen.User{})
	check(err == gen.WeirErrAgain, "the service's error")
	_, err = gen.DispatchUserService(served{}, "/demo.v1.UserService/Nope", nil)
	check(err == gen.WeirErrNoEntry, "there is no such function")
	_, err = gen.DispatchUserService(served{}, "/demo.v1.UserService/GetUser", []byte{0x0b})
	check(err != nil, "no request")
}
